"""Options of a training run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

from onsei.config import Fraction, NonNegative, NonNegativeInt, Positive, PositiveInt, flag, options
from onsei.former import Former
from onsei.systems.articulation.config.network import Model
from onsei.training.options import Training


@options
class Data:
    """How prepared clips become batches."""

    batch_size: PositiveInt = 16
    """Windows, or clips, that make an optimizer step."""
    micro_batch_size: NonNegativeInt = 0
    """Of them that are computed at once; 0: all. Gradients of the others are added."""
    crop: NonNegativeInt = 0
    """Training with whole films: frames of a random part of each; 0: all of it."""
    num_workers: NonNegativeInt = 0
    """Processes that prepare batches; 0 prepares them in the training process."""


@options
class Augment:
    """Random changes of training films, one draw a clip; never of validation."""

    shift: Fraction = 0.0
    """Moves the picture by up to this part of its size, to all sides."""
    scale: Fraction = 0.0
    """Grows or shrinks it by up to this part."""
    turn: NonNegative = 0.0
    """Turns it by up to so many degrees."""
    gamma: NonNegative = 0.0
    """Raises pixels to a power from 1/(1 + gamma) to 1 + gamma."""
    noise: NonNegative = 0.0
    """Deviation of noise on each pixel, which lies in 0..1."""
    blank: Fraction = 0.0
    """Largest side of a rectangle that is blanked, as a part of the picture; 0: none."""


@options
class Losses:
    """The masked loss: weights of bands and frames, and how they change from the first step to `ramp_steps`."""

    mse: NonNegative = 1.0
    """Weight of the squared error of normalized mels."""
    mae: NonNegative = 1.0
    """Weight of their absolute error."""
    edges: tuple[PositiveInt, ...] = (6, 16, 32, 48)
    """Mel bands at which the groups of bands after the first begin: F0, F1, F2, F3, high."""
    bands: tuple[Positive, ...] = (1.0, 1.0, 1.0, 1.0, 1.0)
    """Weight of each group."""
    first_frames: NonNegativeInt = 0
    """Mel frames at the beginning of each window or clip that weigh more."""
    first_from: Positive = 1.6
    """Weight of the first of them."""
    first_to: Positive = 1.02
    """Weight of the last of them; between them it falls evenly."""
    ramp_steps: NonNegativeInt = 0
    """Optimizer steps over which weights of bands go from 1 to their values, and coefficients from start to end; 0:
    they have their last values from the first step on."""
    delta: tuple[NonNegative, NonNegative] = (0.0, 0.0)
    """Weight, at the start and at the end, of the error of differences from frame to frame."""
    accel: tuple[NonNegative, NonNegative] = (0.0, 0.0)
    """Likewise of second differences."""
    latest: tuple[NonNegative, NonNegative] = (0.0, 0.0)
    """Likewise of the squared error of the last frame."""


@options
class Optimizer:
    """AdamW."""

    learning_rate: Annotated[Positive, flag("--lr")] = 1e-3
    """Highest learning rate."""
    beta1: Fraction = 0.9
    """Decay of the mean of gradients."""
    beta2: Fraction = 0.999
    """Decay of the mean of squared gradients."""
    epsilon: Positive = 1e-8
    """Added to the root of the mean of squared gradients."""
    weight_decay: NonNegative = 1e-4
    """Weight decay."""


@options
class Train:
    """Train a mel generator on clips that `prepare` made."""

    FORMER: ClassVar[Mapping[str, Former]] = {
        "--out-ckpt": Former({"*": ""}, "has no effect: the run folder becomes the model, with the best weights"),
        "--prefetch-factor": Former({"*": ""}, "has no effect: each worker is two batches ahead"),
        "--pin-memory": Former({"": "", "True": "", "true": ""}, "has no effect"),
    }

    train_manifest: Path
    """Manifest of the training clips, which `prepare` writes; its scaler and definition of mels lie beside it."""
    output_dir: Path
    """Folder of the run: checkpoints, metrics, and at the end the model."""
    val_manifest: Path | None = None
    """Manifest of the validation clips; the best weights on it are kept. Without one the last weights are."""
    scaler_json: Path | None = None
    """Mean and deviation of mels that the network learns in; by default `scaler.json` beside the training manifest."""
    pretrained: Path | None = None
    """Weights of timm to begin the encoder with, `.safetensors` or a checkpoint of torch."""
    model: Model = Model()
    """The network."""
    use_checkpoint: Annotated[bool, flag("--checkpointing")] = False
    """Compute the encoder's activations again in the backward pass: less memory, more time."""
    ckpt_segments: PositiveInt = 2
    """Parts of the encoder whose ends are kept then."""
    losses: Losses = Losses()
    """The loss."""
    augment: Augment = Augment()
    """Random changes of the films."""
    data: Data = Data()
    """Batches."""
    optimization: Optimizer = Optimizer()
    """The optimizer."""
    training: Training = Training()
    """The clock: epochs, precision, checkpoints, trackers."""
