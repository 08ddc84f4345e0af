"""Fundamental frequency by YIN, and how two courses of it differ.

T samples, F frames, L lags.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onsei.errors import AudioError

Course = NDArray[np.float64]
"""Hz of each frame, shape (F,); NaN where nothing is voiced."""

_THRESHOLD = 0.15
_QUIET = 50.0
"""A frame this many dB fainter than the loudest one is not voiced."""
_BLOCK = 4096
"""Frames looked at together: memory does not grow with the sound."""


def pitch(
    samples: NDArray[np.float32], rate: int, *, hop: float = 0.01, lowest: float = 60.0, highest: float = 500.0
) -> Course:
    """The fundamental frequency of ``samples``, shape (T,).

    Frame i is centered on second ``i * hop``. A frame is voiced where the normalized difference falls below 0.15 and
    the frame is not 50 dB fainter than the loudest.

    Source: de Cheveigné and Kawahara, YIN, 2002, steps 1 to 5.

    Args:
        rate: samples a second.
        hop: seconds from frame to frame.
        lowest, highest: limits of the frequency, in Hz.

    Raises:
        AudioError: the limits do not suit the rate.
    """
    first, last = int(rate / highest), int(np.ceil(rate / lowest))
    if not 0 < lowest < highest or first < 2:
        raise AudioError(
            f"pitch: expected 0 < lowest < highest < rate / 2; found {lowest:g} Hz, {highest:g} Hz at {rate} Hz",
            "mend the limits",
        )
    window = 2 * last  # two periods of the lowest voice
    size = window + last
    count = int(len(samples) / (rate * hop)) + 1
    padded = np.pad(samples.astype(np.float64), (size // 2, size))
    starts = np.round(np.arange(count) * hop * rate).astype(np.int64)
    found, power = np.empty(count), np.empty(count)
    for at in range(0, count, _BLOCK):
        part = starts[at : at + _BLOCK]
        frames = padded[part[:, None] + np.arange(size)]
        found[at : at + _BLOCK] = rate / _periods(_normalized(frames, window, last), first)
        power[at : at + _BLOCK] = frames.var(axis=1)
    faint = power <= power.max(initial=0.0) * 10 ** (-_QUIET / 10)
    return np.where(faint | (power < 1e-12), np.nan, found)


def _normalized(frames: NDArray[np.float64], window: int, last: int) -> NDArray[np.float64]:
    """The cumulative mean normalized difference of lags 0 … ``last``: (F, L), from frames (F, window + last)."""
    size = frames.shape[1]
    length = 1 << (size + window - 1).bit_length()
    head = np.fft.rfft(frames[:, :window], length)
    products = np.fft.irfft(head.conj() * np.fft.rfft(frames, length), length)[:, : last + 1]
    energy = np.cumsum(np.pad(frames**2, ((0, 0), (1, 0))), axis=1)
    moved = energy[:, window : window + last + 1] - energy[:, : last + 1]
    difference = np.maximum(moved[:, :1] + moved - 2 * products, 0.0)
    running = np.cumsum(difference[:, 1:], axis=1) / np.arange(1, last + 1)
    rest = np.divide(difference[:, 1:], running, out=np.ones_like(running), where=running > 1e-12)
    return np.concatenate([np.ones((len(frames), 1)), rest], axis=1)


def _periods(curve: NDArray[np.float64], first: int) -> NDArray[np.float64]:
    """Samples of a period by frame, NaN where there is none: the first dip below the threshold, refined."""
    inside = curve[:, first:-1]
    dips = (inside <= curve[:, first - 1 : -2]) & (inside < curve[:, first + 1 :]) & (inside < _THRESHOLD)
    lag = first + dips.argmax(axis=1)
    row = np.arange(len(curve))
    before, here, after = curve[row, lag - 1], curve[row, lag], curve[row, lag + 1]
    bend = before - 2 * here + after
    shift = np.divide(before - after, 2 * bend, out=np.zeros_like(here), where=bend > 1e-12)
    return np.where(dips.any(axis=1), lag + np.clip(shift, -1, 1), np.nan)


@dataclass(frozen=True)
class PitchErrors:
    """How courses of pitch differ from their references. The sums of many clips are added."""

    frames: int = 0
    wrong: int = 0
    """Frames that are voiced in one course only."""
    voiced: int = 0
    """Frames that are voiced in both."""
    squares: float = 0.0
    """Sum of the squared differences over these, in Hz²."""
    moments: tuple[float, ...] = (0.0,) * 5
    """Sums over these of reference, found, their squares, and their product, in Hz and Hz²."""

    def __add__(self, other: PitchErrors) -> PitchErrors:
        moments = tuple(a + b for a, b in zip(self.moments, other.moments, strict=True))
        return PitchErrors(
            self.frames + other.frames,
            self.wrong + other.wrong,
            self.voiced + other.voiced,
            self.squares + other.squares,
            moments,
        )

    @property
    def rmse(self) -> float:
        """Root of the mean squared difference where both are voiced, in Hz; NaN where nothing is."""
        return float(np.sqrt(self.squares / self.voiced)) if self.voiced else float("nan")

    @property
    def correlation(self) -> float:
        """Pearson's correlation where both are voiced, -1..1; NaN where a course does not move."""
        if self.voiced < 2:
            return float("nan")
        x, y, xx, yy, xy = (value / self.voiced for value in self.moments)
        spread = (xx - x * x) * (yy - y * y)
        return float((xy - x * y) / np.sqrt(spread)) if spread > 1e-9 else float("nan")

    @property
    def voicing_error(self) -> float:
        """Share of frames voiced in one course only, in percent; NaN without frames."""
        return 100.0 * self.wrong / self.frames if self.frames else float("nan")


def pitch_errors(reference: Course, found: Course) -> PitchErrors:
    """Compare two courses, shape (F,) each; the longer one is cut."""
    frames = min(len(reference), len(found))
    reference, found = reference[:frames], found[:frames]
    voiced = ~np.isnan(reference) & ~np.isnan(found)
    x, y = reference[voiced], found[voiced]
    moments: Sequence[Any] = (x.sum(), y.sum(), (x * x).sum(), (y * y).sum(), (x * y).sum())
    return PitchErrors(
        frames=frames,
        wrong=int((np.isnan(reference) != np.isnan(found)).sum()),
        voiced=int(voiced.sum()),
        squares=float(((x - y) ** 2).sum()),
        moments=tuple(float(value) for value in moments),
    )
