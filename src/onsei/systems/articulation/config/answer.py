"""What a trained mel generator is asked, and what it answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from onsei.config import NonNegative, Positive, PositiveInt, options

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@options
class Request:
    """One film to speak."""

    video: Path
    """Film of any container and size, or frames that `prepare` stored (`mri.npy`)."""
    frame_rate: Positive | None = None
    """Frames a second, where the film's header is wrong."""


@options
class Mel:
    """The log-mel that was read off a film."""

    sample_rate: PositiveInt
    """Sampling rate of the sound that it stands for, in Hz."""
    hop_length: PositiveInt
    """Samples from mel frame to mel frame."""
    duration: NonNegative
    """Length in seconds."""
    frames: tuple[tuple[float, ...], ...]
    """Log-mel in dB by the model's definition: for each mel frame its bands, low to high."""

    @property
    def mel(self) -> NDArray[np.float32]:
        """The log-mel as an array of shape (bands, frames)."""
        import numpy as np

        return np.asarray(self.frames, np.float32).T
