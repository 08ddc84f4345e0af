"""Noise added to a sound: stationary noise of a color, or any other sound, by amplitude or by signal-to-noise ratio."""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from onsei.audio.augment.ranges import Range, ordered
from onsei.audio.resample import check_rate
from onsei.audio.samples import Samples, as_samples
from onsei.errors import AudioError

Color = Literal["white", "pink", "brown"]
_SLOPES = {"white": 0.0, "pink": 0.5, "brown": 1.0}  # amplitude falls as frequency to this power
_LONG, _STORE = 1 << 14, 1 << 20


def noise(
    samples: ArrayLike, rate: int, generator: Generator, *, snr: Range = (10.0, 40.0), color: Color = "white"
) -> Samples:
    """Add stationary noise at a signal-to-noise ratio in dB, measured by power over each clip. Silence stays silence.

    ``white`` has equal power at all frequencies; ``pink`` falls by 3 dB and ``brown`` by 6 dB an octave. For sounds of
    more than 16384 samples the noise is cut at random places from a million samples made once, which is far faster.
    """
    check_rate(rate)
    ordered("snr", snr)
    if color not in _SLOPES:
        raise AudioError(f"color: expected one of {', '.join(_SLOPES)}; found {color!r}", "choose one of these")
    array = as_samples(samples)
    ratio = generator.uniform(*snr)
    hiss = _hiss(array.shape, color, generator)
    level = _rms(array) / np.maximum(_rms(hiss), np.finfo(np.float32).tiny) * 10 ** (-ratio / 20)
    return (array + hiss * level).astype(np.float32)


def add(samples: ArrayLike, noise: ArrayLike, level: float) -> Samples:
    """``samples`` + ``level`` · ``noise`` · rms(``samples``) / rms(``noise``): the level is a ratio of amplitudes.

    Both (..., T) of one length, or a ``noise`` (T,) for all channels. Silence stays silence, and silent noise adds
    nothing.

    Raises:
        AudioError: a level below 0 or not finite, or another length.
    """
    array, added = as_samples(samples), as_samples(noise, "noise")
    if not (np.isfinite(level) and level >= 0):
        raise AudioError(f"level: expected a number from 0, found {level}", "1 adds noise as loud as the sound")
    if added.shape[-1] != array.shape[-1]:
        raise AudioError(f"noise: expected {array.shape[-1]} samples, found {added.shape[-1]}", "cut or loop the noise")
    loud = rms(added)
    if loud == 0:
        return array
    mixed: Samples = added * np.float32(level * rms(array) / loud)
    mixed += array
    return mixed


def level_of(snr: float) -> float:
    """The level for ``add`` that a signal-to-noise ratio in dB is."""
    return float(10 ** (-snr / 20))


def rms(array: Samples) -> float:
    """Root mean square over all samples."""
    flat = array.reshape(-1)
    return float(np.sqrt(np.dot(flat, flat) / max(1, flat.size)))


def looped(array: Samples, start: int, length: int) -> Samples:
    """``length`` samples of ``array`` (T,) from ``start`` on, beginning anew where it ends."""
    if start + length <= len(array):
        return array[start : start + length]
    rounds = -(-(start + length) // len(array))
    return np.tile(array, rounds)[start : start + length]


def _hiss(shape: tuple[int, ...], color: Color, generator: Generator) -> Samples:
    """Noise of a color, about as loud everywhere."""
    length = shape[-1]
    if length <= _LONG:
        return _colored(generator.standard_normal(shape, np.float32), _SLOPES[color])
    store = _store(color)
    starts = generator.integers(0, _STORE, int(np.prod(shape[:-1])))
    return np.stack([looped(store, int(start), length) for start in starts]).reshape(shape)


@cache
def _store(color: Color) -> Samples:
    return _colored(np.random.default_rng(0).standard_normal(_STORE, np.float32), _SLOPES[color])


def _colored(white: Samples, slope: float) -> Samples:
    if slope == 0:
        return white
    spectrum = np.fft.rfft(white)
    order = np.maximum(np.arange(spectrum.shape[-1]), 1)  # the mean, at 0, falls no less than the lowest tone
    return np.fft.irfft(spectrum / order**slope, n=white.shape[-1]).astype(np.float32)


def _rms(array: Samples) -> Samples:
    power: NDArray[np.float64] = np.square(array, dtype=np.float64).mean(axis=-1, keepdims=True)
    return np.sqrt(power).astype(np.float32)
