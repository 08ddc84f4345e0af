"""What a trained model is saved with: network, how films and mels were prepared, and the scaler.

M mel bands, F mel frames.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from onsei.config import Positive, PositiveInt, options
from onsei.systems.articulation.config.network import Model
from onsei.vocoder.definition import MelDefinition

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@options
class Prepared:
    """How films and sounds were made into arrays; a model keeps it, and reads films likewise."""

    mel: MelDefinition
    """What a mel is."""
    frame_rate: str
    """Frames of film a second, as a fraction such as 11413/420."""
    subframes: PositiveInt
    """Mel frames for each frame of film."""
    size: PositiveInt
    """Height and width of the stored pictures, in pixels."""
    crop: tuple[int, int, int, int] | None = None
    """Part of the film's picture that was taken: left, top, width, height in its pixels."""
    prepared: str = ""
    """Names the preparation: scaler and clips of one carry the same name."""

    @property
    def rate(self) -> Fraction:
        """Frames of film a second."""
        return Fraction(self.frame_rate)

    @property
    def samples_a_frame(self) -> int:
        """Samples of sound that a frame of film stands for."""
        return self.mel.hop * self.subframes


@options
class Scaler:
    """Mean and deviation of log-mels, in dB."""

    mean: float
    """Mean over all bands and frames of training."""
    std: Positive
    """Deviation."""
    prepared: str = ""
    """The preparation that it is of, where known."""

    def normalized(self, mel: NDArray[np.float32]) -> NDArray[np.float32]:
        """A log-mel as the network learns it."""
        found: NDArray[np.float32] = ((mel - self.mean) / self.std).astype(mel.dtype)
        return found

    def restored(self, mel: NDArray[np.float32]) -> NDArray[np.float32]:
        """The inverse."""
        found: NDArray[np.float32] = (mel * self.std + self.mean).astype(mel.dtype)
        return found


@options
class Saved:
    """All that a model folder says of its network."""

    model: Model
    """The network."""
    prepared: Prepared
    """How films become pictures, and what the mels are."""
    scaler: Scaler
    """Of the mels."""
