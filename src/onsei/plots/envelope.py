"""The course of a waveform in few numbers: the lowest and highest sample of each column, for sound of any length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from onsei.plots.sound import mono

_COLUMNS = 2400


@dataclass(frozen=True)
class Envelope:
    """Lowest and highest samples of a sound, column by column."""

    low: NDArray[np.float32]
    """(C,)"""
    high: NDArray[np.float32]
    """(C,); where a column is one sample, the same as ``low``."""
    step: int
    """Samples in a column; the last may have fewer."""
    samples: int
    """Samples in all."""


def envelope(samples: ArrayLike, rate: int, columns: int = _COLUMNS) -> Envelope:
    """The envelope of ``samples``, (T,) or (T, C), in at most ``columns`` columns. Errors as in ``sound.checked``."""
    meter = EnvelopeMeter(columns)
    meter.add(mono(samples, rate))
    return meter.envelope()


class EnvelopeMeter:
    """Gathers the envelope of a sound that comes in blocks, in bounded memory.

    Args:
        columns: as many are kept at most; neighbors are joined two by two as often as it takes.
    """

    def __init__(self, columns: int = _COLUMNS) -> None:
        self._limit = max(2, columns)
        self._low: NDArray[np.float32] = np.zeros(0, np.float32)
        self._high: NDArray[np.float32] = np.zeros(0, np.float32)
        self._step = 1
        self._open: NDArray[np.float32] = np.zeros(0, np.float32)  # samples, too few for a column
        self._samples = 0

    def add(self, block: NDArray[np.float32]) -> None:
        """Take the next samples, (t,)."""
        self._samples += len(block)
        block = np.concatenate([self._open, block])
        while len(self._low) + len(block) // self._step >= self._limit:
            block = np.concatenate([self._halve(), block])
        whole = len(block) // self._step * self._step
        columns = block[:whole].reshape(-1, self._step)
        self._low = np.concatenate([self._low, columns.min(axis=1)])
        self._high = np.concatenate([self._high, columns.max(axis=1)])
        self._open = block[whole:]

    def envelope(self) -> Envelope:
        """End the sound, and give its envelope."""
        low, high = self._low, self._high
        if len(self._open):
            low, high = np.append(low, self._open.min()), np.append(high, self._open.max())
        return Envelope(low, high, self._step, self._samples)

    def _halve(self) -> NDArray[np.float32]:
        """Join neighbors; a column without one is given back as samples with the same ends."""
        even = len(self._low) // 2 * 2
        ends = np.array([self._low[even:], self._high[even:]]).ravel()
        left = np.resize(ends, self._step if len(ends) else 0)
        self._low = np.minimum(self._low[0:even:2], self._low[1:even:2])
        self._high = np.maximum(self._high[0:even:2], self._high[1:even:2])
        self._step *= 2
        return left.astype(np.float32)
