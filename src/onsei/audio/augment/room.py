"""The sound of a room: simulated impulse responses, and convolution that leaves the direct sound where it was.

T samples, n samples of an impulse response.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from onsei.audio.augment.noise import rms
from onsei.audio.augment.ranges import Range, ordered
from onsei.audio.resample import check_rate
from onsei.audio.samples import Samples, as_samples
from onsei.errors import AudioError

_SPEED = 343.0  # of sound, m/s
_SIDES = (3.0, 10.0), (3.0, 8.0), (2.4, 4.0)  # length, width and height of rooms, m
_DISTANCE, _FROM_WALL = (0.5, 4.0), 0.3
_MIXED = 0.05
"""Seconds after which single reflections are no longer told apart."""
_ORDER = 4
"""Mirror rooms in each direction: enough for all reflections before ``_MIXED`` in all but the narrowest corners."""
_TOGETHER = 1 << 17
"""Samples that are transformed at once."""
RT60: Range = (0.15, 0.6)
DRR: Range = (0.0, 12.0)


def reverb(samples: ArrayLike, rate: int, generator: Generator, *, rt60: Range = RT60, drr: Range = DRR) -> Samples:
    """``samples`` (..., T) as heard in a random simulated room, (..., T). See ``impulse_response`` and ``convolve``."""
    array = as_samples(samples)
    return convolve(array, Response(impulse_response(rate, generator, rt60=rt60, drr=drr)))


def impulse_response(rate: int, generator: Generator, *, rt60: Range = RT60, drr: Range = DRR) -> Samples:
    """What a microphone in a random room records of a click: shape (n,), the direct sound 1 at sample 0.

    A shoebox of drawn size, source and microphone in it: the reflections of the first 50 ms by mirror images, then
    noise that decays at the same rate.

    Args:
        rate: in Hz.
        generator: of the room.
        rt60: seconds in which the reverberation falls by 60 dB.
        drr: direct to reverberant energy, in dB.

    Raises:
        AudioError: a range out of order, or rt60 not above 0.

    Source: Allen and Berkley, Image method for efficiently simulating small-room acoustics, 1979; the decaying tail:
    Lehmann and Johansson, Diffuse reverberation model for efficient image-source simulation, 2010.
    """
    check_rate(rate)
    ordered("drr", drr)
    if ordered("rt60", rt60)[0] <= 0:
        raise AudioError(f"rt60: expected seconds above 0, found {rt60}", "0.3 is a living room")
    seconds, ratio = generator.uniform(*rt60), generator.uniform(*drr)
    length = max(2, round(seconds * rate))
    decay = 10 ** (-3 * np.arange(length) / (seconds * rate))
    response = _reflections(rate, seconds, length, generator)
    mixed = min(round(_MIXED * rate), length)
    # The tail goes on at the level of the reflections before it.
    before = slice(mixed // 2, mixed)
    level = np.sqrt(np.square(response[before] / decay[before]).mean()) if mixed > 1 else 1.0
    response[mixed:] = generator.standard_normal(length - mixed) * decay[mixed:] * (level or 1.0)
    energy = float(np.square(response).sum())
    if energy > 0:
        response *= 10 ** (-ratio / 20) / np.sqrt(energy)
    response[0] += 1.0
    return response.astype(np.float32)


def _reflections(rate: int, rt60: float, length: int, generator: Generator) -> NDArray[np.float64]:
    """Reflections from the walls up to ``_MIXED``, without the direct sound, relative to it in time and strength."""
    sides = np.array([generator.uniform(*ends) for ends in _SIDES])
    volume, surface = sides.prod(), 2 * (sides[0] * sides[1] + sides[0] * sides[2] + sides[1] * sides[2])
    absorbed = 1 - np.exp(-0.161 * volume / (surface * rt60))  # Eyring
    bounce = np.sqrt(1 - absorbed)
    microphone = generator.uniform(_FROM_WALL, sides - _FROM_WALL)
    direction = generator.standard_normal(3)
    reach = generator.uniform(*_DISTANCE) * direction / np.linalg.norm(direction)
    source = np.clip(microphone + reach, _FROM_WALL, sides - _FROM_WALL)
    # Mirror images along each axis: at 2 m L + x after 2|m| bounces, and at 2 m L - x after |2m - 1|.
    m = np.arange(-_ORDER, _ORDER + 1)
    along = np.concatenate([2 * m * sides[:, None] + source[:, None], 2 * m * sides[:, None] - source[:, None]], 1)
    along -= microphone[:, None]  # (3, images along an axis)
    bounces = np.concatenate([np.abs(2 * m), np.abs(2 * m - 1)])
    x, y, z = np.square(along)
    distance = np.sqrt(x[:, None, None] + y[:, None] + z).ravel()
    count = (bounces[:, None, None] + bounces[:, None] + bounces).ravel()
    direct = max(float(np.linalg.norm(source - microphone)), 0.1)
    late = (distance - direct) / _SPEED
    early = (count > 0) & (late > 0) & (late < min(_MIXED, length / rate))
    places = np.maximum(1, (late[early] * rate).astype(int))  # never on the direct sound
    strength = bounce ** count[early] * direct / distance[early]
    return np.bincount(places, strength, length)[:length].astype(np.float64)


class Response:
    """An impulse response ready to be convolved with: its spectrum, for blocks that suit its length.

    Args:
        samples: shape (n,), the direct sound at sample 0.
    """

    def __init__(self, samples: Samples) -> None:
        self.length = len(samples)
        # Transforms of 16384 are the fastest a sample; of longer ones where the response leaves too little of them.
        self.block = 1 << max(14, (self.length * 3 // 2).bit_length())
        self.spectrum = torch.fft.rfft(torch.from_numpy(np.asarray(samples, np.float32)), self.block)


def convolve(samples: ArrayLike, response: Response) -> Samples:
    """``samples`` (..., T) through ``response``: as loud as before (by rms), and as long; the end of the echo is cut.

    The direct sound stays where it was, so that labels stay aligned. Overlap-save by Fourier transforms.
    """
    array = as_samples(samples)
    length, block, behind = array.shape[-1], response.block, response.length - 1
    step = block - behind
    parts: list[Samples] = []
    # Several blocks in one transform are twice as fast as one by one; more would leave the processor's cache.
    most = max(1, _TOGETHER // block) * step
    for start in range(0, length, most):
        wanted = min(most, length - start)
        count = -(-wanted // step)
        piece = np.zeros((*array.shape[:-1], behind + count * step), np.float32)
        first, last = max(0, start - behind), start + wanted
        piece[..., first - start + behind : last - start + behind] = array[..., first:last]
        spectra = torch.fft.rfft(torch.from_numpy(piece).unfold(-1, block, step))  # (..., count, block / 2 + 1)
        spectra *= response.spectrum
        heard = torch.fft.irfft(spectra, block)[..., behind:].flatten(-2)
        parts.append(heard[..., :wanted].numpy())
    made = parts[0] if len(parts) == 1 else np.concatenate(parts, -1)
    loud = rms(made)
    if loud > 0:
        made *= np.float32(rms(array) / loud)
    return made
