"""How many frames a song has, and its embedding in windows of bounded memory, aligned with the codec's latents.

T samples, F frames, D features.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from onsei.audio import io
from onsei.audio.resample import resampled_length
from onsei.data.row import Row
from onsei.errors import DataError

RATE = 24_000
"""Samples a second that embeddings hear."""
FRAME_RATE = 25
"""Frames a second, of sketches and of latents."""
HOP = RATE // FRAME_RATE
WINDOW, MARGIN = 30 * FRAME_RATE, 5 * FRAME_RATE
"""Frames that are embedded at once, and those on either side of them that are heard with the others but not kept."""


class Embedding(Protocol):
    """What hears a song, frame by frame."""

    @property
    def name(self) -> str:
        """How it is opened again."""
        ...

    @property
    def fingerprint(self) -> str:
        """Which weights it has."""
        ...

    @property
    def width(self) -> int:
        """D."""
        ...

    def __call__(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Samples (T,) at 24 kHz, T a multiple of 960, to T / 960 frames (F, D)."""
        ...


def frames_of(samples: int, source_rate: float, sample_rate: int, hop: int) -> int:
    """Latents that a codec of ``sample_rate`` and ``hop`` has for so many ``samples``: the last one is filled up."""
    return max(1, -(-resampled_length(samples, source_rate, sample_rate) // hop))


def sound_of(row: Row, sample_rate: int, hop: int) -> NDArray[np.float32]:
    """The sound of ``row`` at 24 kHz, filled up with silence to as many frames as the codec has latents.

    Raises:
        DataError: the row names no audio.
        AudioError: it cannot be read.
    """
    if row.audio is None:
        raise DataError(f"row {row.id}: names no audio", "give the row an `audio`")
    offset, duration = row.segment
    native, rate = io.load(row.audio, offset=offset, duration=duration, channel=row.channel, max_seconds=None)
    frames = frames_of(len(native), rate, sample_rate, hop)
    samples = native if rate == RATE else io.load(
        row.audio, RATE, offset=offset, duration=duration, channel=row.channel, max_seconds=None
    )[0]  # fmt: skip
    return fitted(samples, frames)


def fitted(samples: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """Samples (T,) cut or filled up with silence to ``frames`` frames."""
    wanted = frames * HOP
    return np.pad(samples[:wanted], (0, max(0, wanted - len(samples))))


def windows(frames: int) -> Iterator[tuple[int, int, int, int]]:
    """First and last frame of each window, and the same with what is heard around it; windows cover all frames once."""
    for begin in range(0, max(frames, 1), WINDOW):
        end = min(begin + WINDOW, frames)
        yield begin, end, max(0, begin - MARGIN), min(frames, end + MARGIN)


def embedded(samples: NDArray[np.float32], embedding: Embedding) -> NDArray[np.float32]:
    """All frames (F, D) of samples (F · 960,), window by window.

    Windows lie at fixed places from the beginning: a song gives the same frames whenever it is embedded, however long
    it is, in memory that does not grow with it.

    Raises:
        DataError: the embedding gives another number of frames, or values that are not finite.
    """
    parts = []
    for begin, end, left, right in windows(len(samples) // HOP):
        found = embedding(samples[left * HOP : right * HOP])
        if found.shape != (right - left, embedding.width) or not np.isfinite(found).all():
            expected = f"expected {right - left} frames of {embedding.width} finite values, found shape {found.shape}"
            raise DataError(f"{embedding.name}: {expected}", "compute in float32, or take another embedding")
        parts.append(found[begin - left : end - left])
    return np.concatenate(parts).astype(np.float32, copy=False)
