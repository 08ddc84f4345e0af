"""Changes of a whole sound: speed, gain, place in time, clipping."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from onsei.audio.augment.ranges import Range, factors_of, ordered
from onsei.audio.resample import check_rate, resample
from onsei.audio.samples import Samples, as_samples
from onsei.errors import AudioError


def speed(samples: ArrayLike, rate: int, generator: Generator, *, factors: Range = (0.9, 1.1)) -> Samples:
    """Play faster (factor above 1) or slower: pitch and length change together, T becomes T / factor.

    Source: Ko, Peddinti, Povey and Khudanpur, Audio augmentation for speech recognition, 2015.
    """
    factors_of("factors", factors, "the speed")
    return resample(samples, rate * generator.uniform(*factors), rate)


def gain(
    samples: ArrayLike, rate: int, generator: Generator, *, decibels: Range = (-6.0, 8.0), inplace: bool = False
) -> Samples:
    """Make louder or softer by a number of decibels, ``inplace`` or a copy. What passes ±1 is not clipped."""
    check_rate(rate)
    ordered("decibels", decibels)
    array, factor = as_samples(samples), np.float32(10 ** (generator.uniform(*decibels) / 20))
    return np.multiply(array, factor, out=array if inplace else None)


def shift(samples: ArrayLike, rate: int, generator: Generator, *, seconds: Range = (-0.1, 0.1)) -> Samples:
    """Move later (above 0) or earlier in time; T stays, what is moved in is silence, what is moved out is lost."""
    check_rate(rate)
    ordered("seconds", seconds)
    array = as_samples(samples)
    length = array.shape[-1]
    by = int(np.clip(round(generator.uniform(*seconds) * rate), -length, length))
    moved = np.zeros_like(array)
    if by >= 0:
        moved[..., by:] = array[..., : length - by]
    else:
        moved[..., :by] = array[..., -by:]
    return moved


def clip(samples: ArrayLike, ceiling: float = 1.0) -> Samples:
    """Cut what passes ±``ceiling``, as a recorder that is turned up too far does, and files of whole numbers do."""
    if not ceiling > 0:
        raise AudioError(f"ceiling: expected a number above 0, found {ceiling}", "1 is full scale")
    return np.clip(as_samples(samples), np.float32(-ceiling), np.float32(ceiling))
