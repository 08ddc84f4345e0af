"""What a trained vocoder is asked, and what it answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from onsei.config import NonNegative, NonNegativeInt, Positive, PositiveInt, options

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@options
class Request:
    """One mel to speak, or one sound to copy."""

    source: Path
    """A log-mel of the model's definition, `.npy` or `.npz`, of shape (bands, frames) or (1, bands, frames); or a sound
    file, whose mel is then spoken."""
    offset: NonNegative = 0.0
    """Of a sound: where to begin, in seconds."""
    duration: Positive | None = None
    """Of a sound: how much, in seconds; all by default."""
    channel: NonNegativeInt | None = None
    """Of a sound: which channel; the mean of all by default."""


@options
class Speech:
    """Sound that a vocoder made."""

    sample_rate: PositiveInt
    """Samples a second."""
    duration: NonNegative
    """Length in seconds."""
    samples: tuple[float, ...]
    """The sound, full scale from -1 to 1."""

    @property
    def sound(self) -> NDArray[np.float32]:
        """The samples as an array of shape (T,)."""
        import numpy as np

        return np.asarray(self.samples, np.float32)
