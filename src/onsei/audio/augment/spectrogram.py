"""Changes of a spectrogram (..., bins, frames): SpecAugment's warp and masks, tempo, other voices and microphones."""

from __future__ import annotations

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from onsei.audio.augment.ranges import Range, factors_of
from onsei.errors import AudioError


def mask_frequencies(
    spectrogram: Tensor, generator: Generator, *, width: int = 27, count: int = 1, fill: float = 0.0
) -> Tensor:
    """SpecAugment's frequency masks: ``count`` bands of 0 … ``width`` bins are set to ``fill``.

    Source: Park et al., SpecAugment, 2019, section 2. For normalized features 0 is the mean.
    """
    return _masked(spectrogram, generator, -2, width, count, fill)


def mask_times(
    spectrogram: Tensor,
    generator: Generator,
    *,
    width: int = 70,
    count: int = 1,
    portion: float = 1.0,
    fill: float = 0.0,
) -> Tensor:
    """SpecAugment's time masks: ``count`` spans of 0 … ``width`` frames are set to ``fill``.

    No span is longer than ``portion`` of the clip (the paper's upper bound p), so that short clips keep something to
    learn from. Source: Park et al., SpecAugment, 2019, section 2.
    """
    if not 0 <= portion <= 1:
        raise AudioError(f"portion: expected 0 to 1, found {portion}", "mend it")
    bound = int(portion * spectrogram.shape[-1])
    return _masked(spectrogram, generator, -1, min(width, bound), count, fill)


def warp_time(spectrogram: Tensor, generator: Generator, *, width: int = 5) -> Tensor:
    """SpecAugment's time warp: a moment between ``width`` frames from either end moves by up to ``width`` frames.

    What lies before and after it is stretched or squeezed evenly; the ends and the number of frames stay. Spectrograms
    of fewer than 2 ``width`` + 2 frames have no such moment and stay as they are.

    Source: Park et al., SpecAugment, 2019, section 2, with lines between frames in place of a sparse image warp.
    """
    if width < 0:
        raise AudioError(f"width: expected frames from 0, found {width}", "0 warps nothing")
    frames = spectrogram.shape[-1]
    if width == 0 or frames < 2 * width + 2:
        return spectrogram
    places = _warped(frames, width, generator)
    return _between(spectrogram, places)


def stretch_and_warp_time(
    spectrogram: Tensor, generator: Generator, *, factors: Range = (0.8, 1.25), width: int = 5
) -> Tensor:
    """``stretch_time`` and then ``warp_time`` with one look between frames, at half the cost of both."""
    factors_of("factors", factors, "the tempo")
    frames = spectrogram.shape[-1]
    count = max(1, round(frames / generator.uniform(*factors)))
    if width == 0 or count < 2 * width + 2:
        return _between(spectrogram, np.linspace(0, frames - 1, count))
    places = _warped(count, width, generator) * ((frames - 1) / (count - 1))
    return _between(spectrogram, places)


def _warped(frames: int, width: int, generator: Generator) -> NDArray[np.float64]:
    """Which frame each of ``frames`` shows where a moment has moved by up to ``width`` frames."""
    before = int(generator.integers(width + 1, frames - width))
    after = before + generator.uniform(-width, width)
    places: NDArray[np.float64] = np.interp(np.arange(frames), [0, after, frames - 1], [0, before, frames - 1])
    return places


def warp_frequencies(spectrogram: Tensor, generator: Generator, *, factors: Range = (0.9, 1.1)) -> Tensor:
    """Stretch the frequency axis, as a longer or shorter vocal tract would: bin b takes the value of bin b × factor.

    Source: Jaitly and Hinton, Vocal tract length perturbation improves speech recognition, 2013.
    """
    factors_of("factors", factors, "the voice")
    bins = spectrogram.shape[-2]
    places = np.arange(bins, dtype=np.float64) * generator.uniform(*factors)
    return _between(spectrogram.transpose(-1, -2), places).transpose(-1, -2)


def stretch_time(spectrogram: Tensor, generator: Generator, *, factors: Range = (0.8, 1.25)) -> Tensor:
    """Say it faster (factor above 1) or slower at the same pitch: the number of frames is divided by the factor."""
    factors_of("factors", factors, "the tempo")
    frames = spectrogram.shape[-1]
    count = max(1, round(frames / generator.uniform(*factors)))
    return _between(spectrogram, np.linspace(0, frames - 1, count))


def tilt(spectrogram: Tensor, generator: Generator, *, spread: float = 0.3, knots: int = 4) -> Tensor:
    """Add a random smooth curve over frequency to a log spectrogram, as another microphone or room would.

    The curve runs through ``knots`` evenly spaced values drawn from a normal distribution of deviation ``spread``.
    """
    if spread < 0 or knots < 2:
        raise AudioError(f"tilt: expected spread from 0 and 2 knots or more, found {spread} and {knots}", "mend it")
    bins = spectrogram.shape[-2]
    curve = np.interp(np.linspace(0, knots - 1, bins), np.arange(knots), generator.normal(0, spread, knots))
    return spectrogram + torch.from_numpy(curve).to(spectrogram)[:, None]


def _between(values: Tensor, places: NDArray[np.float64]) -> Tensor:
    """``values`` (..., n) at ``places`` along the last axis, linearly between neighbors; beyond the end, the last."""
    last = values.shape[-1] - 1
    places = np.minimum(places, last)
    first = np.minimum(places.astype(np.int64), max(last - 1, 0))
    below, share = torch.from_numpy(first).to(values.device), torch.from_numpy(places - first).to(values)
    above = (below + 1).clamp_(max=last)
    if values.dim() == 2 and values.stride(0) == 1:  # frames lie together, as they come from a transform
        rows = values.T
        return rows.index_select(0, below).lerp_(rows.index_select(0, above), share[:, None]).T
    return values.index_select(-1, below).lerp_(values.index_select(-1, above), share)


def _masked(spectrogram: Tensor, generator: Generator, axis: int, width: int, count: int, fill: float) -> Tensor:
    if width < 0 or count < 0:
        raise AudioError(f"masks: expected width and count from 0, found {width} and {count}", "0 masks nothing")
    size = spectrogram.shape[axis]
    masked = spectrogram.clone() if count else spectrogram
    for _ in range(count):
        span = int(generator.integers(0, min(width, size), endpoint=True))
        start = int(generator.integers(0, size - span, endpoint=True))
        masked.narrow(axis, start, span).fill_(fill)
    return masked
