"""The voice of a moving tract: a glottal source, filtered by the tract as it is at each moment.

F moments, P parameters, T samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onsei.demo.tract.shape import Numbers
from onsei.demo.tract.tube import transfer, tube

HOP = 128
"""Samples between the moments at which the tract is looked at."""
_WINDOW, _SIZE = 2 * HOP, 1024
_OPEN = 0.6
"""Share of a period in which the glottis is open."""
_BREATH = 0.004
_SOFT = 2500.0
"""Hz from which on the source falls off faster than a pulse that closes at once."""


def moments(samples: int) -> NDArray[np.int64]:
    """Samples at which ``sound`` wants the tract and the voice, for a sound of ``samples``."""
    return np.arange(samples // HOP + 2, dtype=np.int64) * HOP


def sound(
    parameters: Numbers,
    pitch: Numbers,
    loudness: Numbers,
    rate: int,
    samples: int,
    random: np.random.Generator,
    scale: float = 1.0,
) -> NDArray[np.float32]:
    """What is heard before the lips, (T,), its loudest sample at 0.7.

    The tract's impulse response changes from one moment to the next by overlap and add; at any rate no frequency is
    bent, since the tube is solved where the bins are.

    Args:
        parameters: of the tract at ``moments(samples)``, (F, P).
        pitch: Hz at these moments, (F,).
        loudness: 0 silence, 1 full voice, (F,).
        rate: samples a second.
        samples: T.
        random: draws what breath there is.
        scale: size of the tract.
    """
    at = moments(samples)
    time = np.arange(samples + _SIZE)
    course, level = np.interp(time, at, pitch), np.interp(time, at, loudness)
    source = level * _source(course, rate, random)
    hertz: Numbers = np.linspace(0.0, rate / 2, _SIZE // 2 + 1)
    response = transfer(tube(parameters, scale), hertz) / (1 + (hertz / _SOFT) ** 2)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)
    padded = np.pad(source, (HOP, _WINDOW))
    pieces = padded[at[:, None] + np.arange(_WINDOW)] * window
    made = np.fft.irfft(np.fft.rfft(pieces, _SIZE) * response, _SIZE)  # (F, size)
    whole = np.zeros(len(at) * HOP + _SIZE)
    for part in range(_SIZE // HOP):
        whole[part * HOP : (part + len(at)) * HOP] += made[:, part * HOP : (part + 1) * HOP].ravel()
    heard = whole[HOP : HOP + samples]
    return (0.7 * heard / max(float(np.abs(heard).max()), 1e-9)).astype(np.float32)


def _source(pitch: Numbers, rate: int, random: np.random.Generator) -> Numbers:
    """Flow through the glottis: pulses (Klatt and Klatt, 1990, without their treble) as a sum of harmonics below half
    the rate, and breath that comes with them."""
    phase = np.cumsum(pitch) / rate
    period = np.arange(4096) / 4096 / _OPEN
    pulse = np.where(period < 1, 6.75 * period**2 * (1 - period), 0.0)
    weights = np.fft.rfft(pulse) / len(pulse)
    turn = np.exp(2j * np.pi * phase)
    flow, harmonic = np.zeros(len(pitch)), np.ones(len(pitch), complex)
    for number in range(1, int(0.48 * rate / pitch.min()) + 1):
        harmonic *= turn
        flow += 2 * (weights[number] * harmonic).real * (number * pitch < 0.48 * rate)
    opened = np.interp(phase % 1.0, period * _OPEN, pulse)
    return flow + _BREATH * (0.3 + opened) * random.normal(size=len(pitch))
