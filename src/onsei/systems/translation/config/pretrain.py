"""Options of the stage `pretrain`: an encoder learns from bare recordings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from onsei.config import Fraction, NonNegative, NonNegativeInt, Positive, PositiveInt, flag, options
from onsei.former import Former
from onsei.training.options import Training


@options
class Network:
    """The encoder: a pretrained one, or one of its own shape."""

    base_model: Annotated[str, flag("--base-model-path")] = ""
    """Folder or Hub repository of an encoder to go on with, such as `facebook/wav2vec2-base`; empty: a fresh network of
    the sizes below."""
    from_scratch: bool = False
    """Take only the shape of `base_model`, with random weights."""
    frontend: Literal["mel", "wave"] = "mel"
    """What a fresh network hears: log-mels, which minutes of sound suffice for, or samples through convolutions."""
    hidden_size: PositiveInt = 128
    """Width of a fresh network's layers."""
    layers: PositiveInt = 4
    """Its transformer layers."""
    heads: PositiveInt = 4
    """Its attention heads."""
    intermediate_size: PositiveInt = 512
    """Width inside its feed-forward parts."""
    conv_dim: PositiveInt = 64
    """Channels of its seven convolutions, with frontend wave."""
    positions: PositiveInt = 32
    """Frames that its convolution over positions spans."""
    dropout: Fraction = 0.0
    """Dropout in its layers."""
    codevectors: PositiveInt = 64
    """Codevectors of each of its two groups, for the contrastive objective."""
    codevector_dim: PositiveInt = 128
    """Size of its codevectors, and of what is compared."""
    freeze_front: bool = False
    """Do not train the convolutions over samples."""


@options
class Task:
    """What is learned."""

    objective: Literal["contrastive", "masked-units"] = "contrastive"
    """Contrastive: tell the quantized frame that is hidden from other ones (wav2vec 2.0). Masked-units: name its
    cluster of cepstra (HuBERT)."""
    mask_time_prob: Fraction = 0.65
    """Share of frames that spans of hidden ones would cover if they did not overlap."""
    mask_time_length: PositiveInt = 10
    """Frames of such a span."""
    num_negatives: PositiveInt = 100
    """Hidden frames of the same clip that each is told from."""
    diversity_weight: NonNegative = 0.1
    """Weight of the loss that keeps all codevectors in use. Small corpora need 1, or all frames share a few."""
    gumbel_start: Positive = 2.0
    """Temperature of the quantizer's choices at first."""
    gumbel_end: Positive = 0.5
    """The lowest temperature."""
    gumbel_decay: Fraction = 0.999995
    """Factor on the temperature a step."""
    clusters: PositiveInt = 100
    """Clusters of cepstra that are named with masked-units."""
    targets: Annotated[str, flag("--targets")] = ""
    """Model folder of `fit-units` whose units are named with masked-units in place of these: HuBERT's second round,
    with the units of a network of the first."""
    collapse: Fraction = 0.1
    """A network that uses less than this share of its codevectors or clusters has collapsed: it is told, and never
    taken for the best one."""


@options
class Crops:
    """How recordings become batches."""

    crop_seconds: Annotated[Positive, flag("--max-duration-in-seconds")] = 15.0
    """Longer recordings are cut into even pieces of at most so many seconds; nothing of them is lost."""
    min_seconds: Annotated[Positive, flag("--min-duration-in-seconds")] = 0.5
    """Shorter recordings are left out, in seconds."""
    batch_size: Annotated[PositiveInt, flag("--per-device-train-batch-size")] = 16
    """Most pieces in a batch. They are of like length, and cut to that of the shortest, at another place each epoch."""
    batch_seconds: Positive = 120.0
    """Most sound in a batch, in seconds."""
    num_workers: NonNegativeInt = 0
    """Processes that prepare batches; 0 prepares them in the training process."""
    val_fraction: Fraction = 0.05
    """Share of the recordings that is held out where no validation manifest is given; one at least."""


@options
class Optimizer:
    """How weights are changed: AdamW."""

    learning_rate: Annotated[Positive, flag("--lr")] = 1e-5
    """Highest learning rate. 1e-5 goes on with a pretrained network; a fresh small one takes 1e-3."""
    beta1: Fraction = 0.9
    """Decay of the mean of gradients."""
    beta2: Fraction = 0.98
    """Decay of the mean of squared gradients."""
    eps: Positive = 1e-6
    """Added to the root of the mean of squared gradients."""
    weight_decay: NonNegative = 0.01
    """Weight decay; norms and biases have none."""


@options
class Pretrain:
    """Train an encoder on bare recordings, without any text."""

    FORMER: ClassVar[Mapping[str, Former]] = {
        "--num-train-epochs": Former({"*": "--epochs {value}"}),
        "--gradient-accumulation-steps": Former({"*": "--accumulate {value}"}),
        "--fp16": Former({"": "--precision fp16"}, switch=True),
    }

    train_manifest: Annotated[Path, flag("--data-dir")]
    """Recordings: a folder that is searched for sound, or a manifest."""
    output_dir: Path
    """Folder of the run: checkpoints, metrics, and at the end the model."""
    val_manifest: Path | None = None
    """Recordings to validate on; without it some of the others are held out."""
    network: Network = Network()
    """The encoder."""
    task: Task = Task()
    """What is learned."""
    data: Crops = Crops()
    """Batches."""
    optimization: Optimizer = Optimizer()
    """The optimizer."""
    training: Training = Training(monitor="val/score")
    """The clock: epochs, precision, checkpoints, trackers."""
