"""Options of a training run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from onsei.config import Fraction, NonNegative, NonNegativeInt, Positive, PositiveInt, flag, options
from onsei.systems.classification.config.augment import Augment
from onsei.systems.classification.config.features import Features
from onsei.systems.classification.config.network import Encoder, Model
from onsei.training.options import Training


@options
class Data:
    """How sounds become batches."""

    batch_size: PositiveInt = 32
    """Most sounds in a batch."""
    batch_seconds: Positive = 480.0
    """Most sound in a batch with its padding, in seconds."""
    num_workers: NonNegativeInt = 0
    """Processes that prepare batches; 0 prepares them in the training process."""
    memory: NonNegative = 512.0
    """Features that each of these processes keeps for the next epochs, in MiB; what does not fit is computed anew."""
    feature_cache: Path | None = None
    """Folder that keeps computed features for later runs too."""


@options
class Optimizer:
    """How weights are changed: AdamW."""

    learning_rate: Annotated[Positive, flag("--lr")] = 3e-3
    """Highest learning rate."""
    weight_decay: NonNegative = 1e-2
    """Weight decay; norms and biases have none."""
    label_smoothing: Fraction = 0.0
    """Share of the truth that is spread over all classes."""
    class_weights: Literal["none", "balanced"] = "none"
    """Balanced: a class counts in inverse proportion to its rows."""


@options
class Train:
    """Train a classifier from manifests whose rows have a label."""

    train_manifest: Path | None = None
    """Manifest of the training sounds (JSONL); needed but for a dry run."""
    output_dir: Annotated[Path | None, flag("--save-folder")] = None
    """Folder of the run: checkpoints, metrics, and at the end the model; needed but for a dry run."""
    val_manifest: Path | None = None
    """Manifest of the validation sounds; the best weights on it are kept. Without one the last weights are."""
    labels: tuple[str, ...] = ()
    """Names of the classes in their order; by default those of the training rows, in the order of the alphabet."""
    features: Features = Features()
    """What the network hears."""
    model: Model = Model()
    """The network."""
    encoder: Encoder = Encoder()
    """The pretrained encoder in its place, with features of kind wave."""
    augment: Augment = Augment()
    """Random changes of the training sounds."""
    agreement: NonNegative = 0.0
    """Weight of the difference between the classes heard in two copies of a sound, each changed in its own way, at
    twice the work; 0: one copy."""
    data: Data = Data()
    """Batches."""
    optimization: Optimizer = Optimizer()
    """The optimizer."""
    training: Training = Training()
    """The clock: epochs, precision, checkpoints, trackers."""
    dry_run: bool = False
    """Build the network, time one real step on noise, print memory and time, and train nothing."""
