"""A codec without weights: pitch, voicing and envelope of a voice as 32 numbers, 25 times a second, and back to sound.

A frame of 40 ms holds four steps of 10 ms. The course of every quantity over the four steps is kept as the first
coefficients of its cosine transform: shape and pitch by mean and slope, loudness and voicing finer. Sound is made of
harmonics of the pitch and of noise, both as loud as the envelope says (McAulay and Quatieri 1986; Serra 1989).

T samples, F frames, S steps (4 F), Z latents (32), B mel bands, C cepstra.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from onsei.metrics.pitch import pitch

RATE = 16_000
"""Samples a second."""
STEPS = 4
HOP = RATE // 100
"""Samples of a step."""
FRAME = STEPS * HOP
"""Samples of a frame."""
CEPSTRA = 12
LATENTS = 32
LOWEST, HIGHEST = 70.0, 500.0
"""Hz of voices that are found."""
BANDS = 32
"""Bands of the envelope."""
_WIDTH = 512
_MIDDLE = 220.0
_QUIET = -11.5
"""Natural logarithm of the amplitude that silence is given."""
_LOUDER = (_WIDTH / 6 / (HOP / 2) / 0.75) ** 0.5
Array = NDArray[np.float32]
Wide = NDArray[np.float64]


@dataclass(frozen=True)
class Course:
    """A voice, step by step."""

    pitch: Wide
    """Hz, shape (S,); of steps without voice, what the voice around them would have."""
    voicing: Wide
    """From 0 (noise) to 1 (voice), shape (S,)."""
    cepstra: Wide
    """Cosine transform over the bands of the logarithm of the amplitude, shape (S, C); the first is loudness."""

    def __len__(self) -> int:
        return len(self.pitch)


def encode(samples: Array) -> Array:
    """Latents (F, Z) of sound (T,) at 16 kHz; its last frame is filled up with silence."""
    return pack(analyzed(samples))


def decode(latents: Array, seed: int = 0) -> Array:
    """Sound (F · 640,) of latents (F, Z), within ±1; its noise follows from ``seed``."""
    return spoken(unpack(latents), seed)


def analyzed(samples: Array) -> Course:
    """The voice in sound (T,) at 16 kHz."""
    frames = max(1, -(-len(samples) // FRAME))
    samples = np.pad(samples, (0, frames * FRAME - len(samples)))
    steps = frames * STEPS
    around = np.pad(samples, _WIDTH // 2)
    places = np.arange(steps)[:, None] * HOP + HOP // 2 + np.arange(_WIDTH)
    window = np.hanning(_WIDTH)
    power = (np.abs(np.fft.rfft(around[places] * window)) / window.sum() * 2) ** 2
    shifted = np.pad(samples, (0, HOP))[HOP // 2 :]  # a step's middle
    found = pitch(shifted, RATE, hop=HOP / RATE, lowest=LOWEST, highest=HIGHEST)[:steps]
    voiced = ~np.isnan(found)
    bands = 0.5 * np.log(np.maximum(_hulls(power, found) @ _filters().T, np.exp(2 * _QUIET)))
    return Course(_filled(found), voiced.astype(np.float64), to_cepstra(bands))


def _hulls(power: Wide, hertz: Wide) -> Wide:
    """Spectra whose valleys between harmonics are filled with the harmonics beside them: (S, bins)."""
    filled = power.copy()
    reach = np.where(np.isnan(hertz), 0, np.round(np.nan_to_num(hertz) / 2 * _WIDTH / RATE)).astype(np.int64)
    for bins in np.unique(reach[reach > 0]):
        rows = reach == bins
        wide = np.pad(power[rows], ((0, 0), (bins, bins)))
        filled[rows] = np.lib.stride_tricks.sliding_window_view(wide, 2 * bins + 1, axis=1).max(-1)
    return filled


def pack(course: Course) -> Array:
    """A course as latents: (S,) to (F, Z). Steps must be four a frame."""
    frames = len(course) // STEPS
    turn = _cosines(STEPS)
    shape = course.cepstra.reshape(frames, STEPS, CEPSTRA)
    shape = np.einsum("ks,fsc->fkc", turn, shape) / _scale()
    tone = np.log2(course.pitch / _MIDDLE).reshape(frames, STEPS) @ turn.T
    voice = (course.voicing * 2 - 1).reshape(frames, STEPS) @ turn.T / 2
    parts = [shape[:, 0], shape[:, 1, :10], shape[:, 2, :2], shape[:, 3, :2], tone[:, :2], voice]
    return np.concatenate(parts, axis=1).astype(np.float32)


def unpack(latents: Array) -> Course:
    """Latents (F, Z) as a course."""
    values = np.asarray(latents, np.float64)
    frames = len(values)
    shape = np.zeros((frames, STEPS, CEPSTRA))
    ends = np.cumsum([0, CEPSTRA, 10, 2, 2, 2, STEPS])
    parts = [values[:, first:last] for first, last in pairwise(ends)]
    for row, part in enumerate(parts[:4]):
        shape[:, row, : part.shape[1]] = part
    turn = _cosines(STEPS)
    cepstra = np.einsum("ks,fkc->fsc", turn, shape * _scale()).reshape(-1, CEPSTRA)
    tone = np.pad(parts[4], ((0, 0), (0, STEPS - 2))) @ turn
    voice = (parts[5] * 2) @ turn
    hertz = _MIDDLE * 2.0 ** np.clip(tone.reshape(-1), -2.5, 2.5)
    return Course(hertz, np.clip((voice.reshape(-1) + 1) / 2, 0.0, 1.0), cepstra)


def spoken(course: Course, seed: int = 0) -> Array:
    """Sound (S · 160,) of a course."""
    steps = len(course)
    if not steps:
        return np.zeros(0, np.float32)
    bands = np.clip(course.cepstra @ _cosines(BANDS)[:CEPSTRA], _QUIET - 2, 1.0)
    sound = _harmonics(course, bands) + _noise(course, bands, seed)
    return np.clip(sound, -1, 1).astype(np.float32)


def band_hertz() -> Wide:
    """Middles of the bands, (B,)."""
    return np.asarray(700.0 * (10.0 ** (_positions() / 2595.0) - 1.0))


def to_cepstra(levels: Wide) -> Wide:
    """Logarithms of amplitudes at the bands' middles, (..., B), as cepstra (..., C)."""
    return np.asarray(levels @ _cosines(BANDS)[:CEPSTRA].T)


def _harmonics(course: Course, bands: Wide) -> Wide:
    """Harmonics up to 8 kHz whose phases run on; amplitudes change linearly from step to step.

    A harmonic's sine follows from the two below it: sin((n + 1) x) = 2 cos(x) sin(n x) - sin((n - 1) x).
    """
    steps = len(course)
    middles = (np.arange(steps) + 0.5) * HOP
    hertz = np.interp(np.arange(steps * HOP), middles, course.pitch)
    # From half a step before the beginning on, so that every row runs from one step's middle to the next one's.
    phase = np.pad(np.cumsum(hertz) * (2 * np.pi / RATE), HOP // 2).reshape(steps + 1, HOP)
    sine, last, turn = np.sin(phase), np.zeros_like(phase), 2 * np.cos(phase)
    sound = np.zeros_like(phase)
    loud = np.sqrt(course.voicing)
    way = np.arange(HOP) / HOP
    positions = _positions()
    for number in range(1, min(int(RATE / 2 / course.pitch.min()), 110) + 1):
        tone = number * course.pitch
        level = np.where(tone < RATE / 2 - 200, np.exp(_at(bands, _mel(tone), positions)) * loud, 0.0)
        level = np.pad(level, 1, mode="edge")[:, None]
        sound += (level[:-1] + (level[1:] - level[:-1]) * way) * sine
        sine, last = turn * sine - last, sine
    return np.asarray(sound.reshape(-1)[HOP // 2 : HOP // 2 + steps * HOP])


def _noise(course: Course, bands: Wide, seed: int) -> Wide:
    """Noise of the envelope, overlapped and added."""
    steps, width = len(course), 2 * HOP
    random = np.random.default_rng(seed)
    bins = np.fft.rfftfreq(width, 1 / RATE)
    levels = np.stack([_at(bands, np.full(steps, _mel(hertz)), _positions()) for hertz in bins], axis=1)
    # Of noise and of a harmonic of one level in the spectrum, which a window of 512 saw, the noise is louder.
    amplitude = _LOUDER * np.exp(levels) * np.sqrt(1 - course.voicing)[:, None]
    turns = np.exp(2j * np.pi * random.random(amplitude.shape))
    pieces = np.fft.irfft(amplitude * turns, width) * width / 2 * np.hanning(width + 1)[:-1]
    sound = np.zeros((steps + 1) * HOP)
    sound[: steps * HOP] += pieces[:, :HOP].reshape(-1)
    sound[HOP:] += pieces[:, HOP:].reshape(-1)
    return sound[HOP // 2 : HOP // 2 + steps * HOP]


def _at(bands: Wide, place: Wide, positions: Wide) -> Wide:
    """Levels (S, B) at a mel value of each step, between the bands' middles."""
    spot = np.clip((place - positions[0]) / (positions[1] - positions[0]), 0, len(positions) - 1.001)
    low = spot.astype(np.int64)
    part = spot - low
    row = np.arange(len(bands))
    found: Wide = bands[row, low] * (1 - part) + bands[row, low + 1] * part
    return found


def _filled(found: Wide) -> Wide:
    """Pitch where there is none, from its neighbors."""
    known = np.flatnonzero(~np.isnan(found))
    if not len(known):
        return np.full(len(found), _MIDDLE)
    filled: Wide = np.exp(np.interp(np.arange(len(found)), known, np.log(found[known])))
    return filled


def _mel(hertz: Wide | float) -> Wide:
    return 2595.0 * np.log10(1.0 + np.asarray(hertz, np.float64) / 700.0)


@cache
def _edges() -> Wide:
    edges: Wide = np.linspace(_mel(60.0), _mel(RATE / 2), BANDS + 2)
    return edges


def _positions() -> Wide:
    return _edges()[1:-1]


@cache
def _filters() -> Wide:
    """Triangles over the bins of the spectrum, (B, bins), each with the sum 1."""
    place = _mel(np.asarray(np.fft.rfftfreq(_WIDTH, 1 / RATE), np.float64))
    edges = _edges()
    step = edges[1] - edges[0]
    made = np.maximum(1e-9, 1 - np.abs(place[None] - edges[1:-1, None]) / step)
    return np.asarray(made / made.sum(1, keepdims=True), np.float64)


@cache
def _cosines(size: int) -> Wide:
    """The orthonormal cosine transform (type II), (size, size): rows are its functions."""
    row = np.arange(size)
    turn = np.cos(np.pi / size * row[:, None] * (row[None] + 0.5)) * np.sqrt(2 / size)
    turn[0] /= np.sqrt(2)
    return np.asarray(turn, np.float64)


@cache
def _scale() -> Wide:
    """What brings cepstra of singing to about 1: loudness is larger than the rest."""
    return np.array([12.0, 6.0, *[3.0] * (CEPSTRA - 2)])
