"""Change of sample rate, in one piece or block by block (soxr, its high-quality setting)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import isfinite

import numpy as np
import soxr
from numpy.typing import ArrayLike

from onsei.audio.samples import Samples, as_samples
from onsei.errors import AudioError

QUALITY = "HQ"


def resample(samples: ArrayLike, source_rate: float, target_rate: float) -> Samples:
    """``samples`` (..., T) at ``source_rate`` Hz → (..., ``resampled_length(T, ...)``) at ``target_rate`` Hz.

    Equal rates give the samples back unchanged. Memory is input plus output: soxr works through long input in parts.

    Raises:
        AudioError: a rate that is not above 0, or samples that ``as_samples`` refuses.
    """
    check_rate(source_rate)
    check_rate(target_rate)
    array = as_samples(samples)
    if source_rate == target_rate:
        return array
    channels = array.reshape(-1, array.shape[-1]).T  # (T, C), as soxr wants it
    out: Samples = soxr.resample(np.ascontiguousarray(channels), source_rate, target_rate, quality=QUALITY)
    return np.ascontiguousarray(out.T).reshape(*array.shape[:-1], -1)


def resample_blocks(blocks: Iterable[Samples], source_rate: float, target_rate: float) -> Iterator[Samples]:
    """Blocks (t,) of a mono signal → blocks at ``target_rate``; joined, they equal ``resample`` of the joined input."""
    check_rate(source_rate)
    check_rate(target_rate)
    if source_rate == target_rate:
        yield from blocks
        return
    stream = soxr.ResampleStream(source_rate, target_rate, 1, dtype="float32", quality=QUALITY)
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def resampled_length(frames: int, source_rate: float, target_rate: float) -> int:
    """How many samples ``frames`` samples become: their duration at the new rate, halves rounded up."""
    return frames if source_rate == target_rate else int(frames * target_rate / source_rate + 0.5)


def check_rate(rate: float) -> None:
    """Raise AudioError unless ``rate`` is a sample rate: finite and above 0 Hz."""
    if not (isfinite(rate) and rate > 0):
        raise AudioError(f"sample rate: expected Hz above 0, found {rate}", "give a rate such as 16000")
