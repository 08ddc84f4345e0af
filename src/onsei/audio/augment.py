"""Augmentation: pure functions of sound or spectrogram and a random generator; nothing is changed in place.

Sounds are float32 (..., T); spectrograms are tensors (..., bins, frames). A range with equal ends is a fixed value.
"""

from __future__ import annotations

from math import isfinite
from typing import Literal

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from onsei.audio.resample import check_rate, resample
from onsei.audio.samples import Samples, as_samples
from onsei.errors import AudioError

Range = tuple[float, float]
Color = Literal["white", "pink", "brown"]
_SLOPES = {"white": 0.0, "pink": 0.5, "brown": 1.0}  # amplitude falls as frequency to this power


def speed(samples: ArrayLike, rate: int, generator: Generator, *, factors: Range = (0.9, 1.1)) -> Samples:
    """Play faster (factor above 1) or slower: pitch and length change together, T becomes T / factor.

    Source: Ko, Peddinti, Povey and Khudanpur, Audio augmentation for speech recognition, 2015.
    """
    low, _ = _ordered("factors", factors)
    if low <= 0:
        raise AudioError(f"factors: expected numbers above 0, found {factors}", "1 leaves the speed as it is")
    return resample(samples, rate * generator.uniform(*factors), rate)


def gain(samples: ArrayLike, rate: int, generator: Generator, *, decibels: Range = (-6.0, 8.0)) -> Samples:
    """Make louder or softer by a number of decibels. What passes ±1 is not clipped."""
    check_rate(rate)
    _ordered("decibels", decibels)
    return as_samples(samples) * np.float32(10 ** (generator.uniform(*decibels) / 20))


def shift(samples: ArrayLike, rate: int, generator: Generator, *, seconds: Range = (-0.1, 0.1)) -> Samples:
    """Move later (above 0) or earlier in time; T stays, what is moved in is silence, what is moved out is lost."""
    check_rate(rate)
    _ordered("seconds", seconds)
    array = as_samples(samples)
    length = array.shape[-1]
    by = int(np.clip(round(generator.uniform(*seconds) * rate), -length, length))
    moved = np.zeros_like(array)
    if by >= 0:
        moved[..., by:] = array[..., : length - by]
    else:
        moved[..., :by] = array[..., -by:]
    return moved


def noise(
    samples: ArrayLike, rate: int, generator: Generator, *, snr: Range = (10.0, 40.0), color: Color = "white"
) -> Samples:
    """Add stationary noise at a signal-to-noise ratio in dB, measured by power over each clip. Silence stays silence.

    ``white`` has equal power at all frequencies; ``pink`` falls by 3 dB and ``brown`` by 6 dB an octave.
    """
    check_rate(rate)
    _ordered("snr", snr)
    if color not in _SLOPES:
        raise AudioError(f"color: expected one of {', '.join(_SLOPES)}; found {color!r}", "choose one of these")
    array = as_samples(samples)
    ratio = generator.uniform(*snr)
    hiss = _colored(generator.standard_normal(array.shape, np.float32), _SLOPES[color])
    level = _rms(array) / np.maximum(_rms(hiss), np.finfo(np.float32).tiny) * 10 ** (-ratio / 20)
    return (array + hiss * level).astype(np.float32)


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


def warp_frequencies(spectrogram: Tensor, generator: Generator, *, factors: Range = (0.9, 1.1)) -> Tensor:
    """Stretch the frequency axis, as a longer or shorter vocal tract would: bin b takes the value of bin b × factor.

    Source: Jaitly and Hinton, Vocal tract length perturbation improves speech recognition, 2013.
    """
    low, _ = _ordered("factors", factors)
    if low <= 0:
        raise AudioError(f"factors: expected numbers above 0, found {factors}", "1 leaves the voice as it is")
    bins = spectrogram.shape[-2]
    places = torch.arange(bins, device=spectrogram.device) * generator.uniform(*factors)
    return _between(spectrogram.transpose(-1, -2), places).transpose(-1, -2)


def stretch_time(spectrogram: Tensor, generator: Generator, *, factors: Range = (0.8, 1.25)) -> Tensor:
    """Say it faster (factor above 1) or slower at the same pitch: the number of frames is divided by the factor."""
    low, _ = _ordered("factors", factors)
    if low <= 0:
        raise AudioError(f"factors: expected numbers above 0, found {factors}", "1 leaves the tempo as it is")
    frames = spectrogram.shape[-1]
    count = max(1, round(frames / generator.uniform(*factors)))
    return _between(spectrogram, torch.linspace(0, frames - 1, count, device=spectrogram.device))


def tilt(spectrogram: Tensor, generator: Generator, *, spread: float = 0.3, knots: int = 4) -> Tensor:
    """Add a random smooth curve over frequency to a log spectrogram, as another microphone or room would.

    The curve runs through ``knots`` evenly spaced values drawn from a normal distribution of deviation ``spread``.
    """
    if spread < 0 or knots < 2:
        raise AudioError(f"tilt: expected spread from 0 and 2 knots or more, found {spread} and {knots}", "mend it")
    bins = spectrogram.shape[-2]
    curve = np.interp(np.linspace(0, knots - 1, bins), np.arange(knots), generator.normal(0, spread, knots))
    return spectrogram + torch.from_numpy(curve).to(spectrogram)[:, None]


def _between(values: Tensor, places: Tensor) -> Tensor:
    """``values`` (..., n) at ``places`` along the last axis, linearly between neighbors; beyond the end, the last."""
    last = values.shape[-1] - 1
    places = places.clamp(max=last)
    below = places.long().clamp(max=max(last - 1, 0))
    above = (below + 1).clamp(max=last)
    return torch.lerp(values[..., below], values[..., above], (places - below).to(values.dtype))


def _masked(spectrogram: Tensor, generator: Generator, axis: int, width: int, count: int, fill: float) -> Tensor:
    if width < 0 or count < 0:
        raise AudioError(f"masks: expected width and count from 0, found {width} and {count}", "0 masks nothing")
    size = spectrogram.shape[axis]
    positions = torch.arange(size, device=spectrogram.device)
    hidden = torch.zeros_like(positions, dtype=torch.bool)
    for _ in range(count):
        span = int(generator.integers(0, min(width, size), endpoint=True))
        start = int(generator.integers(0, size - span, endpoint=True))
        hidden |= (positions >= start) & (positions < start + span)
    return spectrogram.masked_fill(hidden[:, None] if axis == -2 else hidden, fill)


def _colored(white: Samples, slope: float) -> Samples:
    if slope == 0:
        return white
    spectrum = np.fft.rfft(white)
    order = np.maximum(np.arange(spectrum.shape[-1]), 1)  # the mean, at 0, falls no less than the lowest tone
    return np.fft.irfft(spectrum / order**slope, n=white.shape[-1]).astype(np.float32)


def _rms(array: Samples) -> Samples:
    power: NDArray[np.float64] = np.square(array, dtype=np.float64).mean(axis=-1, keepdims=True)
    return np.sqrt(power).astype(np.float32)


def _ordered(name: str, ends: Range) -> Range:
    low, high = ends
    if not (isfinite(low) and isfinite(high) and low <= high):
        raise AudioError(f"{name}: expected (low, high), found {ends}", "give two numbers in order")
    return low, high
