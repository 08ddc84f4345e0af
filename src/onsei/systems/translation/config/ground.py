"""Options of the verb `ground`: units and pictures of the same thing are brought together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from onsei.config import Fraction, NonNegative, NonNegativeInt, Positive, PositiveInt, flag, options
from onsei.former import Former
from onsei.training.options import Training


@options
class UnitNetwork:
    """The network that reads units."""

    kind: Annotated[Literal["gru", "lstm", "transformer"], flag("--audio-encoder")] = "gru"
    """What reads the units in order: recurrence in both directions, or self-attention alone."""
    width: PositiveInt = 128
    """Width of a unit's embedding and of each direction; the states have twice as many values."""
    convolutions: NonNegativeInt = 2
    """Convolutions before, each of which halves the number of states."""
    kernel: PositiveInt = 5
    """Units that each convolution sees."""
    layers: NonNegativeInt = 1
    """Layers of self-attention after recurrence; of a Transformer all of them."""
    heads: PositiveInt = 4
    """Heads of self-attention."""
    queries: PositiveInt = 4
    """Learned questions whose answers make up the embedding of a clip."""
    dropout: Fraction = 0.1
    """Dropout."""


@options
class ImageNetwork:
    """The network that sees pictures."""

    pretrained: Annotated[str, flag("--image-encoder", "--vit")] = ""
    """Vision Transformer by folder or Hub name, such as google/vit-base-patch16-224-in21k; empty: a small network that
    learns from nothing."""
    freeze: Literal["all", "embeddings", "none"] = "all"
    """What of a pretrained network is not trained."""
    size: PositiveInt = 64
    """Width and height of what is seen, in pixels; a pretrained network brings its own."""
    fit: Literal["crop", "squeeze", "pad"] = "crop"
    """How a picture becomes square: its middle is cut out, its sides are squeezed, or its edges are filled."""
    stem: Literal["patches", "convolutions"] = "patches"
    """What the small network begins with: patches of 4 × 4 pixels and a convolution over them, or convolutions from the
    pixels on, which see shapes sooner; their batch norm is over what the networks see at a time (chunk_size)."""
    width: PositiveInt = 96
    """Width of the small network; a multiple of the heads."""
    layers: NonNegativeInt = 2
    """Layers of self-attention of the small network."""
    heads: PositiveInt = 4
    """Heads of self-attention of the small network."""
    dropout: Fraction = 0.0
    """Dropout of the small network."""


@options
class Contrast:
    """The loss: each clip finds its picture among those of the batch, and each picture its clip (InfoNCE)."""

    temperature: Positive = 0.07
    """First temperature that similarities are divided by; it is learned."""
    lowest_temperature: Positive = 0.02
    """Temperature below which it never falls."""
    hard_negatives: NonNegative = 0.0
    """How much more a like picture of another clip counts (Robinson et al. 2021): its exponent; 0: all count alike."""
    chunk_size: Annotated[NonNegativeInt, flag("--gradient-cache")] = 0
    """Pairs that the networks see at a time (Gao et al. 2021): batches may be larger than memory holds; 0: all."""


@options
class UnitAugment:
    """Random changes of the training units."""

    substitute: Fraction = 0.04
    """Share of units that become any other unit."""
    drop: Fraction = 0.04
    """Share of units that are left out."""
    masks: NonNegativeInt = 0
    """Stretches that are blanked (SpecAugment over time)."""
    mask_width: PositiveInt = 6
    """Most units in such a stretch."""


@options
class Pairs:
    """How pairs become batches."""

    batch_size: Annotated[PositiveInt, flag("--per-device-train-batch-size")] = 64
    """Pairs in a batch; each is told from all others in it."""
    alike: NonNegativeInt = 0
    """Pairs of a batch that come together because their pictures have like colors, in groups of so many: what tells
    them apart is then what there is and how it lies. All pictures are looked at once before. 0: all come by chance."""
    gallery: PositiveInt = 1000
    """Most pairs of validation that are searched at a time. Its size, not the batch's, sets what chance finds."""
    max_units: PositiveInt = 2000
    """Units of a clip that are read; what follows is left out, and counted."""
    num_workers: NonNegativeInt = 0
    """Processes that prepare batches; 0 prepares them in the training process."""
    memory: NonNegative = 512.0
    """Pictures that each of these processes keeps for the next epochs, in MiB; what does not fit is read anew."""


@options
class GroundOptimizer:
    """How weights are changed: AdamW, and Muon where it is asked for."""

    learning_rate: Annotated[Positive, flag("--lr")] = 1e-3
    """Highest learning rate."""
    matrix_rate: Annotated[NonNegative, flag("--matrix-lr")] = 0.0
    """Highest learning rate of matrices that begin with chance, by Muon (Jordan et al. 2024); 3e-3 learns from small
    data in half the steps. 0: AdamW changes them too."""
    temperature_rate: Positive = 1e-3
    """Highest learning rate of the temperature; short trainings want more, or it hardly moves."""
    pretrained_rate: Annotated[Positive, flag("--pretrained-lr")] = 1e-5
    """Highest learning rate of a pretrained network."""
    beta2: Fraction = 0.98
    """Decay of the mean of squared gradients."""
    weight_decay: NonNegative = 1e-2
    """Weight decay; norms and biases have none."""


@options
class Study:
    """A search for better options: an Optuna study that can be stopped, resumed, and shared by several processes."""

    trials: Annotated[NonNegativeInt, flag("--n-trials", "--num-trials")] = 0
    """Trials that end; 0: no search. The final training then takes the best one's options."""
    storage: Path | None = None
    """SQLite file of the study; by default `optuna_study.db` in the output folder."""
    name: Annotated[str, flag("--study-name")] = "ground"
    """Name of the study in this file."""
    trial_epochs: PositiveInt = 3
    """Epochs of a trial."""
    workers: Annotated[PositiveInt, flag("--n-jobs")] = 1
    """Trials at a time, each in a process of its own."""
    sampler_seed: NonNegativeInt = 0
    """Seed of the search."""
    learning_rates: tuple[Positive, Positive] = (1e-4, 3e-3)
    """Lowest and highest learning rate."""
    embedding_dims: tuple[PositiveInt, ...] = (128, 256, 512)
    """Sizes of the embedding to choose from."""
    batch_sizes: tuple[PositiveInt, ...] = (32, 64, 128)
    """Batch sizes to choose from."""
    widths: tuple[PositiveInt, ...] = (64, 128, 192)
    """Widths of the unit network to choose from."""
    only: bool = False
    """Search and write `best_params.json`, and train no final model."""


@options
class Ground:
    """Bring units and pictures into one space, in which what belongs together lies together."""

    FORMER: ClassVar[Mapping[str, Former]] = {"--num-train-epochs": Former({"*": "--epochs {value}"})}

    train_manifest: Annotated[Path | None, flag("--preprocessed-data-dir")] = None
    """Encoded pairs: rows with `units` and `image` (JSONL), or the folder that `encode` wrote; needed."""
    val_manifest: Path | None = None
    """Encoded pairs to choose the best weights by; without one a part of the training pairs, by picture."""
    val_share: Fraction = 0.1
    """Share of the training pairs that is held out where no validation is given."""
    image_dir: Path | None = None
    """Folder that pictures named without one lie in."""
    output_dir: Path | None = None
    """Folder of the run: checkpoints, metrics, and at the end the model; needed."""
    num_clusters: NonNegativeInt = 0
    """Number of units; 0: as the encoded pairs say."""
    embedding_dim: PositiveInt = 128
    """Size of the common space."""
    params_path: Path | None = None
    """`best_params.json` of a search, whose values replace these options."""
    units: UnitNetwork = UnitNetwork()
    """The network that reads units."""
    image: ImageNetwork = ImageNetwork()
    """The network that sees pictures."""
    contrast: Contrast = Contrast()
    """The loss."""
    augment: UnitAugment = UnitAugment()
    """Random changes of the training units."""
    data: Pairs = Pairs()
    """Batches."""
    optimization: GroundOptimizer = GroundOptimizer()
    """The optimizer."""
    study: Study = Study()
    """The search for better options."""
    training: Training = Training(monitor="val/recall", mode="max", schedule="cosine", warmup_steps=50, max_norm=1.0)
    """The clock: epochs, precision, checkpoints, trackers."""
