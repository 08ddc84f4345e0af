"""Registration: the mean pictures of a speaker's films are laid over each other by whole pixels.

T frames, H height, W width.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_MOST = 8
"""Films are moved by at most this part of their picture: 1 / 8."""


class Registration:
    """Remembers the first film of each speaker."""

    def __init__(self) -> None:
        self._first: dict[str, NDArray[np.float64]] = {}

    def __call__(self, frames: NDArray[np.uint8], speaker: str) -> tuple[NDArray[np.uint8], tuple[int, int]]:
        """Pictures (T, H, W) moved, and by how many pixels: down and to the right."""
        mean = frames.mean(0)
        first = self._first.setdefault(speaker, mean)
        if first is mean or first.shape != mean.shape:
            return frames, (0, 0)
        down, right = offset(first, mean)
        return moved(frames, down, right), (down, right)


def offset(wanted: NDArray[np.float64], found: NDArray[np.float64]) -> tuple[int, int]:
    """How far ``found`` (H, W) must be moved, down and to the right, to lie on ``wanted``: by phase correlation.

    Source: Kuglin and Hines, The phase correlation image alignment method, 1975.
    """
    window = np.outer(*(np.hanning(side + 2)[1:-1] for side in wanted.shape))
    spectra = [np.fft.rfft2((picture - picture.mean()) * window) for picture in (wanted, found)]
    cross = spectra[0] * spectra[1].conj()
    size = np.abs(cross)
    # Frequencies that hardly occur have phases of noise.
    phase = np.divide(cross, size, out=np.zeros_like(cross), where=size > 1e-4 * size.max())
    surface = np.fft.irfft2(phase, s=wanted.shape)
    far = [np.abs(np.fft.fftfreq(side, 1 / side)) > side / _MOST for side in wanted.shape]
    surface[far[0]] = -np.inf
    surface[:, far[1]] = -np.inf
    place = np.unravel_index(int(surface.argmax()), surface.shape)
    down, right = (int(at) if at <= side // 2 else int(at) - side for at, side in zip(place, wanted.shape, strict=True))
    return down, right


def moved(frames: NDArray[np.uint8], down: int, right: int) -> NDArray[np.uint8]:
    """Pictures (T, H, W) moved; what comes in is the edge's pixel."""
    height, width = frames.shape[1:]
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return np.ascontiguousarray(frames[:, rows][:, :, columns])
