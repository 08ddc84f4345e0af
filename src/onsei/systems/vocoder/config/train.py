"""Options of a training run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

from onsei.config import Fraction, NonNegative, NonNegativeInt, Positive, PositiveInt, flag, options
from onsei.former import Former
from onsei.systems.vocoder.config.network import Critics, Network
from onsei.training.options import Training
from onsei.vocoder.definition import MelDefinition


@options
class Data:
    """How recordings become batches of segments."""

    batch_size: PositiveInt = 16
    """Segments in a batch."""
    segment_size: PositiveInt = 8192
    """Samples of a segment, whole hops of the mel."""
    segments: PositiveInt = 1
    """Segments that are drawn of each recording in an epoch: more for few recordings, so that an epoch has steps."""
    num_workers: NonNegativeInt = 2
    """Processes that prepare batches; 0 prepares them in the training process."""
    val_fraction: Fraction = 0.05
    """Share of the recordings that is held out where no validation list is given; at least one."""
    val_seconds: NonNegative = 10.0
    """Most seconds of each validation recording that are heard; 0: all."""
    tolerance: NonNegativeInt = 0
    """Frames by which a given mel may be longer or shorter than its sound; both are cut to the shorter one."""
    compare: bool = True
    """Before training, compare a few given mels with those of their sounds, and refuse another definition."""


@options
class Losses:
    """What each part of the network's loss weighs."""

    mel: NonNegative = 45.0
    """L1 between mels up to half the sample rate, in nepers."""
    features: NonNegative = 2.0
    """L1 between the discriminators' activations."""
    adversarial: NonNegative = 1.0
    """Least-squares loss against the discriminators."""
    spectral: NonNegative = 0.0
    """Multi-resolution STFT loss, which HiFi-GAN does without."""
    critics_from: NonNegativeInt = 0
    """Optimizer step from which the discriminators take part; before it mel and spectral losses alone are learned."""


@options
class Optimizer:
    """AdamW, the same for the network and its discriminators."""

    learning_rate: Annotated[Positive, flag("--lr")] = 2e-4
    """Learning rate at the start."""
    critics_rate: Positive = 1.0
    """Learning rate of the discriminators, as a multiple of the network's."""
    beta1: Fraction = 0.8
    """Decay of the mean of gradients."""
    beta2: Fraction = 0.99
    """Decay of the mean of squared gradients."""
    weight_decay: NonNegative = 0.01
    """Weight decay."""


_TAKEN = {"": "--fine-tuning", "True": "--fine-tuning", "true": "--fine-tuning", "1": "--fine-tuning"}
_LEFT = dict.fromkeys(("False", "false", "0"), "")


@options
class Train:
    """Train a vocoder from recordings, or fine-tune it on mels that another model predicted."""

    FORMER: ClassVar[Mapping[str, Former]] = {
        "--fine-tuning": Former({**_TAKEN, **_LEFT}, mend="write --fine-tuning, or leave it out"),
        "--training-epochs": Former({"*": "--epochs {value}"}),
        "--checkpoint-interval": Former({"*": "--checkpoint-per-batch {value}"}),
        "--validation-interval": Former({"*": "--validate-steps {value}"}),
        "--summary-interval": Former({"*": "--log-steps {value}"}),
        "--stdout-interval": Former({"*": ""}, "has no effect: a terminal shows every step, a log one line a minute"),
        "--group-name": Former({"*": ""}, "has no effect"),
    }
    ADOPTS: ClassVar[Mapping[str, str]] = {"--config": "onsei.systems.vocoder.config.upstream:adopted"}

    output_dir: Annotated[Path, flag("--checkpoint-path")]
    """Folder of the run: checkpoints, metrics, and at the end the model. Where it holds g_ and do_ files of HiFi-GAN,
    training goes on from the newest pair."""
    train_manifest: Annotated[Path | None, flag("--input-training-file")] = None
    """Recordings to learn from: a manifest, or a filelist of HiFi-GAN, `name|text` a line. Without it all of
    wavs_dir."""
    val_manifest: Annotated[Path | None, flag("--input-validation-file")] = None
    """Recordings to validate on, of the same two kinds; without it some of the others are held out."""
    wavs_dir: Annotated[Path | None, flag("--input-wavs-dir")] = None
    """Folder of sounds; names in a filelist are relative to it."""
    fine_tuning: bool = False
    """Learn from given mels and not from those of the sounds."""
    mels_dir: Annotated[Path | None, flag("--input-mels-dir")] = None
    """With fine_tuning: folder of mels, NAME.npy for NAME.wav; a manifest's own `features` need none."""
    extra_mels_dir: Path | None = None
    """With fine_tuning: folder of further mels of the same names, of which some are drawn in place of the first."""
    extra_mels_weight: Fraction = 0.5
    """Probability of drawing the extra mel."""
    config: Path | None = None
    """Configuration of HiFi-GAN (JSON), taken over the recipe."""
    mel: MelDefinition = MelDefinition()
    """What a mel is, for network and loss."""
    network: Network = Network()
    """The network."""
    critics: Critics = Critics()
    """Its discriminators."""
    checkpointing: bool = False
    """Compute activations again in the backward pass: less memory, more time."""
    losses: Losses = Losses()
    """The losses."""
    data: Data = Data()
    """Batches."""
    optimization: Optimizer = Optimizer()
    """The optimizers."""
    training: Training = Training()
    """The clock: epochs, precision, checkpoints, trackers."""
