"""Options of a training run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

from onsei.config import Fraction, NonNegative, NonNegativeInt, Positive, PositiveInt, flag, options
from onsei.former import Former
from onsei.systems.song.config.adapt import Lora
from onsei.systems.song.config.network import Codec, Network
from onsei.training.options import Training


@options
class Objective:
    """What is learned, and what is left out by chance so that guidance works (Ho and Salimans 2022)."""

    diffusion: NonNegative = 0.1
    """What the diffusion's squared error weighs against the cross entropy of the sketch."""
    diffusion_blocks: NonNegativeInt = 0
    """Blocks of a batch that the diffusion learns from, by chance; 0: all. The language model learns from all."""
    h_dropout: Fraction = 0.05
    """Share of blocks whose diffusion does without the hidden state, and share without the sketch, each by chance of
    its own."""
    block_dropout: Fraction = 0.0
    """Share of blocks whose diffusion does without both, beside these."""
    cfg_dropout: Fraction = 0.1
    """Share of songs without lyrics and prompt."""
    prompt_dropout: Fraction = 0.1
    """Share of songs without prompt, beside these."""
    lyrics_dropout: Fraction = 0.0
    """Share of songs without lyrics, beside these."""


@options
class Optimizer:
    """AdamW (Loshchilov and Hutter 2019)."""

    learning_rate: Annotated[Positive, flag("--lr")] = 1e-4
    """Learning rate behind the warm-up."""
    beta1: Fraction = 0.9
    """Decay of the mean of gradients."""
    beta2: Fraction = 0.95
    """Decay of the mean of squared gradients."""
    weight_decay: NonNegative = 0.01
    """Weight decay of matrices; vectors and embeddings have none."""


@options
class Data:
    """How songs become batches."""

    batch_size: PositiveInt = 1
    """Songs of a batch, on each process."""
    val_split: NonNegative = 0.0
    """Where no validation manifest is given: share (below 1) or number of the training rows that are held out; pieces
    of one recording stay together. 0: no validation."""
    max_duration: Positive = 150.0
    """Longest row in seconds; longer ones are left out: `onsei song prepare --max-duration` cuts them, lyrics too."""
    mix: Fraction = 0.0
    """Share of training songs that are put together of syllables of the batch's songs, of the same voice and tag, where
    syllables are timed: a small corpus is then not learned by heart. For voices that part their notes."""
    num_workers: NonNegativeInt = 0
    """Processes that prepare batches; 0 prepares them in the training process."""
    latent_cache: Path | None = None
    """Folder of the latents of sounds and prompts, so that they are computed once; by default in onsei's cache."""


@options
class Sketching:
    """Where sketch tokens come from: rows name them (`onsei song sketch`), or they are made before training."""

    codebook: Annotated[Path | None, flag("--muq-vq-path", "--vq-path")] = None
    """The codebook: rows without tokens are sketched with it into the run folder, tokens of another one are refused."""
    muq_model: Annotated[str, flag("--muq-path")] = ""
    """Where the codebook's embedding lies now; by default where the codebook was fitted."""
    muq_device: str = "auto"
    """Where the embedding is computed: `auto`, `cpu`, `cuda` or `mps`."""
    new_codebook: bool = False
    """Fine-tune with another codebook than the model was trained with; its tables of tokens must then be trained."""


@options
class Train:
    """Train a singer from scratch, fine-tune one, or train low-rank adapters for it."""

    FORMER: ClassVar[Mapping[str, Former]] = {
        "--max-epochs": Former({"*": "--epochs {value}"}),
        "--resume-from": Former({"*": "--continue-from {value}"}),
        "--sketch-mode": Former(
            {"muq": ""}, "sketches are made by the codebook", "name one: --codebook FILE (`onsei song fit-sketch`)"
        ),
        "--require-vq-path": Former({"": ""}, "has no effect: sketches never come from random codes", switch=True),
        "--init-from-pretrained": Former(
            {"": ""}, "is --base MODEL here: a model folder, which `onsei song import` makes", switch=True
        ),
    }

    output_dir: Path
    """Folder of the run: checkpoints, metrics, and at the end the model."""
    train_manifest: Annotated[Path | None, flag("--data-jsonl")] = None
    """Manifest of the training songs, as `onsei song prepare` writes it; needed but for a dry run."""
    val_manifest: Path | None = None
    """Manifest of the validation songs; the best weights on it are kept. Without one the last weights are."""
    base: str = ""
    """Model folder or Hub repository to begin with: it gives weights, sizes, codec and table of symbols. Empty: from
    scratch."""
    codec_model: str = ""
    """From scratch with a codec of kind vae: the model folder whose codec is taken."""
    nearest_phones: bool = True
    """With a base that was imported: rows of Japanese phones that nobody trained begin as the mean of their nearest
    trained ones."""
    network: Network = Network()
    """Sizes of the network."""
    codec: Codec = Codec()
    """Sizes of the codec."""
    lora: Lora = Lora()
    """Low-rank adapters."""
    sketch: Sketching = Sketching()
    """Sketch tokens."""
    objective: Objective = Objective()
    """Losses and dropouts."""
    data: Data = Data()
    """Batches."""
    optimization: Optimizer = Optimizer()
    """The optimizer."""
    training: Training = Training()
    """The clock: epochs, precision, checkpoints, trackers."""
    dry_run: bool = False
    """Build the network, count songs and steps, time one step where it fits into memory, print memory, disk and time,
    and train nothing."""
