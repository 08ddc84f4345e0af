"""Which network: an encoder of frames, a recurrent layer over them, mel frames out."""

from __future__ import annotations

from typing import Literal

from onsei.config import Fraction, NonNegativeInt, PositiveInt, options


@options
class Model:
    """Encoder of frames, bidirectional LSTM over them, linear layer to mel bands."""

    encoder: Literal["small", "efficientnetv2_b0", "efficientnetv2_b1", "efficientnetv2_b2", "efficientnetv2_b3"] = (
        "small"
    )
    """Encoder of each frame: a few convolutions, or EfficientNetV2 without its classifier."""
    size: PositiveInt = 64
    """Height and width that frames are brought to, in pixels."""
    input_channels: Literal[1, 3] = 1
    """1, or 3 for copies of the gray frame, as weights learned on color pictures expect."""
    stack: PositiveInt = 1
    """Frames that the encoder sees at once, as channels: the frame and those before it."""
    channels: tuple[PositiveInt, ...] = (16, 32, 48, 64)
    """Encoder small: channels of its convolutions, each of which halves the picture."""
    norm: Literal["batch", "group"] = "batch"
    """Encoder small: its norms. Group: over each picture by itself."""
    pool: Literal["mean", "grid"] = "grid"
    """What of the last map goes on: the mean over the picture, or every place of it."""
    features: NonNegativeInt = 128
    """Width that this is brought to before the recurrent layer, by a linear layer; 0: none."""
    hidden: PositiveInt = 128
    """Width of the recurrent layer, whose two directions are summed."""
    layers: PositiveInt = 1
    """Recurrent layers."""
    dropout: Fraction = 0.3
    """Dropout before the mel bands."""
    feature_dropout: Fraction = 0.0
    """Dropout before the recurrent layer."""
    window: NonNegativeInt = 0
    """Frames that the recurrent layer sees for a mel frame, the last of them being its own; 0: the whole film. What is
    trained with windows is so used with windows, each frame being encoded once."""
