"""Changes of a spectrogram (..., bins, frames): SpecAugment's warp and masks, tempo, other voices and microphones."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from onsei.audio.augment.ranges import Range, factors_of
from onsei.errors import AudioError

Moments: TypeAlias = NDArray[np.float64]
"""Places in a sound, in frames and fractions of them."""


def mask_frequencies(
    spectrogram: Tensor,
    generator: Generator,
    *,
    width: int = 27,
    count: int = 1,
    fill: float = 0.0,
    inplace: bool = False,
) -> Tensor:
    """SpecAugment's frequency masks: ``count`` bands of 0 … ``width`` bins are set to ``fill``, ``inplace`` or a copy.

    Source: Park et al., SpecAugment, 2019, section 2. For normalized features 0 is the mean.
    """
    return _masked(spectrogram, generator, -2, width, count, fill, inplace)


def mask_times(
    spectrogram: Tensor,
    generator: Generator,
    *,
    width: int = 70,
    count: int = 1,
    portion: float = 1.0,
    fill: float = 0.0,
    inplace: bool = False,
) -> Tensor:
    """SpecAugment's time masks: ``count`` spans of 0 … ``width`` frames are set to ``fill``, ``inplace`` or a copy.

    No span is longer than ``portion`` of the clip (the paper's upper bound p), so that short clips keep something to
    learn from. Source: Park et al., SpecAugment, 2019, section 2.
    """
    if not 0 <= portion <= 1:
        raise AudioError(f"portion: expected 0 to 1, found {portion}", "mend it")
    bound = int(portion * spectrogram.shape[-1])
    return _masked(spectrogram, generator, -1, min(width, bound), count, fill, inplace)


def warp_time(spectrogram: Tensor, generator: Generator, *, width: int = 5) -> Tensor:
    """SpecAugment's time warp: a moment between ``width`` frames from either end moves by up to ``width`` frames.

    What lies before and after it is stretched or squeezed evenly; the ends and the number of frames stay. Spectrograms
    of fewer than 2 ``width`` + 2 frames have no such moment and stay as they are.

    Source: Park et al., SpecAugment, 2019, section 2, with lines between frames in place of a sparse image warp.
    """
    return at(spectrogram, moments(spectrogram.shape[-1], generator, width=width))


def moments(frames: int, generator: Generator, *, factors: Range = (1.0, 1.0), width: int = 0) -> Moments:
    """Where each frame of a sound of ``frames`` frames looks, in frames, if it is said at another tempo and warped.

    A spectrogram ``at`` these moments is as by ``stretch_time`` and then ``warp_time``, looked at once. A transform
    that takes them is exact, where a look between two frames mixes both.

    Args:
        frames: how many there are, from 1.
        generator: of the tempo and the warp.
        factors: of the tempo: the number of frames is divided by it.
        width: of the warp, in frames; 0 warps nothing.

    Returns:
        As many as the frames of the changed sound, from 0 to ``frames`` - 1 in order.
    """
    factors_of("factors", factors, "the tempo")
    if width < 0:
        raise AudioError(f"width: expected frames from 0, found {width}", "0 warps nothing")
    low, high = factors
    count = max(1, round(frames / generator.uniform(low, high))) if (low, high) != (1, 1) else frames
    if width == 0 or count < 2 * width + 2:
        return np.linspace(0, frames - 1, count)
    before = int(generator.integers(width + 1, count - width))
    after = before + generator.uniform(-width, width)
    step = (frames - 1) / (count - 1)
    places: Moments = np.interp(np.arange(count), (0, after, count - 1), (0, before * step, frames - 1))
    return places


def at(spectrogram: Tensor, moments: Moments) -> Tensor:
    """``spectrogram`` (..., bins, frames) at ``moments`` (T,), linearly between frames: (..., bins, T)."""
    return _between(spectrogram, moments)


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
    return at(spectrogram, moments(spectrogram.shape[-1], generator, factors=factors))


def tilt(spectrogram: Tensor, generator: Generator, *, spread: float = 0.3, knots: int = 4) -> Tensor:
    """Add a random smooth curve over frequency to a log spectrogram, as another microphone or room would.

    The curve runs through ``knots`` evenly spaced values drawn from a normal distribution of deviation ``spread``.
    """
    if spread < 0 or knots < 2:
        raise AudioError(f"tilt: expected spread from 0 and 2 knots or more, found {spread} and {knots}", "mend it")
    bins = spectrogram.shape[-2]
    curve = np.interp(np.linspace(0, knots - 1, bins), np.arange(knots), generator.normal(0, spread, knots))
    return spectrogram + torch.from_numpy(curve).to(spectrogram)[:, None]


def _between(values: Tensor, places: Moments) -> Tensor:
    """``values`` (..., n) at ``places`` along the last axis, linearly between neighbors; beyond the end, the last."""
    last = values.shape[-1] - 1
    wanted = torch.from_numpy(places).clamp_(max=last)
    first = wanted.long()
    share, below = (wanted - first).to(values), first.to(values.device)
    above = (below + 1).clamp_(max=last)
    if values.dim() == 2 and values.stride(0) == 1:  # frames lie together, as they come from a transform
        rows = values.T
        return rows.index_select(0, below).lerp_(rows.index_select(0, above), share[:, None]).T
    return values.index_select(-1, below).lerp_(values.index_select(-1, above), share)


def _masked(
    spectrogram: Tensor, generator: Generator, axis: int, width: int, count: int, fill: float, inplace: bool
) -> Tensor:
    if width < 0 or count < 0:
        raise AudioError(f"masks: expected width and count from 0, found {width} and {count}", "0 masks nothing")
    size = spectrogram.shape[axis]
    masked = spectrogram if inplace or not count else spectrogram.clone()
    for _ in range(count):
        span = int(generator.integers(0, min(width, size), endpoint=True))
        start = int(generator.integers(0, size - span, endpoint=True))
        masked.narrow(axis, start, span).fill_(fill)
    return masked
