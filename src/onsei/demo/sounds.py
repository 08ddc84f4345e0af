"""Ten kinds of sound, made by arithmetic: bells, birds, rain and others, each with a pitch or pace of its own.

T samples, K partials.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
RATE = 16_000
SECONDS = 2.0
_BANDS = 5
_TEST_BANDS = (1, 3)
"""Of five bands of every pitch and pace, these are heard in the test alone."""


@dataclass(frozen=True)
class Dice:
    """Draws what a sound is made of; training and test never share a pitch or pace.

    Args:
        random: where chance comes from.
        test: whether the values are those of the test.
    """

    random: np.random.Generator
    test: bool

    def __call__(self, low: float, high: float) -> float:
        """A value between ``low`` and ``high``, even on a logarithmic scale, from the bands of training or of test."""
        bands = [n for n in range(_BANDS) if (n in _TEST_BANDS) == self.test]
        place = (float(self.random.choice(bands)) + self.random.uniform(0.05, 0.95)) / _BANDS
        return float(low * (high / low) ** place)

    def free(self, low: float, high: float) -> float:
        """A value between ``low`` and ``high`` of which training and test have the same."""
        return float(self.random.uniform(low, high))


def make(kind: str, dice: Dice) -> Samples:
    """A sound of ``kind``, float32 (T,): with a little noise, at some level, beginning somewhere."""
    time = np.arange(round(SECONDS * RATE)) / RATE
    made = KINDS[kind](time, dice)
    made = np.roll(made, int(dice.free(0, 0.15) * RATE))
    made = made / max(1e-6, float(np.abs(made).max())) * dice.free(0.15, 0.7)
    made = made + dice.free(0.001, 0.02) * dice.random.standard_normal(len(made))
    return np.clip(made, -1, 1).astype(np.float32)


def _bell(time: NDArray[np.float64], dice: Dice) -> NDArray[np.float64]:
    pitch, ring = dice(250, 1100), dice(0.25, 1.2)
    return _partials(
        time, pitch * np.array([0.56, 0.92, 1.19, 1.71, 2.0, 2.74, 3.76]), ring / np.arange(1, 8) ** 0.5, dice
    )


def _string(time: NDArray[np.float64], dice: Dice) -> NDArray[np.float64]:
    pitch, ring = dice(90, 420), dice(0.2, 0.9)
    step = dice.free(0.45, 0.9)
    made = np.zeros_like(time)
    for start in np.arange(0, SECONDS - 0.3, step):
        note = pitch * 2 ** (dice.random.choice([0, 3, 5, 7, 12]) / 12)
        late = time[time >= start] - start
        made[time >= start] += _partials(late, note * np.arange(1, 9), ring / np.arange(1, 9), dice)
    return made


def _drum(time: NDArray[np.float64], dice: Dice) -> NDArray[np.float64]:
    pitch, pace = dice(55, 160), dice(1.5, 5.0)
    since = np.mod(time, 1 / pace)
    skin = np.exp(-since / 0.09) * np.sin(2 * np.pi * pitch * (since + 0.03 * (1 - np.exp(-since / 0.02))))
    return skin + 0.35 * np.exp(-since / 0.012) * dice.random.standard_normal(len(time))


def _clock(time: NDArray[np.float64], dice: Dice) -> NDArray[np.float64]:
    pitch, pace = dice(1800, 5200), dice(1.6, 6.0)
    since = np.mod(time, 1 / pace)
    return np.exp(-since / 0.006) * np.sin(2 * np.pi * pitch * since + dice.free(0, 6))


def _bird(time: NDArray[np.float64], dice: Dice) -> NDArray[np.float64]:
    pitch, pace, width = dice(2200, 4800), dice(3.0, 9.0), dice.free(0.1, 0.3)
    phase = np.mod(time * pace, 1)
    frequency = pitch * (1 + width * np.sin(2 * np.pi * phase) * dice.random.choice([-1, 1]))
    return np.sin(np.pi * np.clip(phase / 0.6, 0, 1)) ** 2 * _sung(frequency)


def _siren(time: NDArray[np.float64], dice: Dice) -> NDArray[np.float64]:
    pitch, pace = dice(450, 1300), dice(0.4, 2.2)
    frequency = pitch * 2 ** (dice.free(0.3, 0.6) * np.sin(2 * np.pi * (pace * time + dice.free(0, 1))))
    phase = np.cumsum(frequency) / RATE
    return np.asarray(sum(np.sin(2 * np.pi * k * phase) / k**1.5 for k in range(1, 5)))


def _engine(time: NDArray[np.float64], dice: Dice) -> NDArray[np.float64]:
    speed = dice(22, 90)
    wander = 1 + 0.06 * np.sin(2 * np.pi * dice.free(0.2, 0.8) * time + dice.free(0, 6))
    phase = np.cumsum(speed * wander) / RATE
    strokes = np.asarray(sum(np.cos(2 * np.pi * k * phase + k * k) / k**0.7 for k in range(1, 25)))
    return strokes * (1 + 0.4 * dice.random.standard_normal(len(time)))


def _rain(time: NDArray[np.float64], dice: Dice) -> NDArray[np.float64]:
    drops = dice(150, 2500)
    falls = (dice.random.random(len(time)) < drops / RATE) * dice.random.lognormal(0, 0.8, len(time))
    drop = np.exp(-np.arange(200) / 25) * dice.random.standard_normal(200)
    return np.convolve(falls, drop)[: len(time)] + 0.15 * _tilted(len(time), -0.3, dice)


def _wind(time: NDArray[np.float64], dice: Dice) -> NDArray[np.float64]:
    gusts = 1 + 0.8 * np.sin(2 * np.pi * (dice(0.3, 1.5) * time + dice.free(0, 1)))
    return gusts * _tilted(len(time), -dice(0.7, 1.6), dice)


def _bubbles(time: NDArray[np.float64], dice: Dice) -> NDArray[np.float64]:
    pitch, pace = dice(350, 1400), dice(4.0, 14.0)
    made = np.zeros_like(time)
    length = int(0.09 * RATE)
    late = np.arange(length) / RATE
    for start in dice.random.integers(0, len(time) - length, max(2, round(pace * SECONDS))):
        own = pitch * dice.free(0.75, 1.35)
        rising = np.sin(2 * np.pi * own * (late + dice.free(3.0, 7.0) * late**2))
        made[start : start + length] += dice.free(0.3, 1) * np.exp(-late / 0.025) * rising
    return made


KINDS: dict[str, Callable[[NDArray[np.float64], Dice], NDArray[np.float64]]] = {
    "bell": _bell, "bird": _bird, "bubbles": _bubbles, "clock": _clock, "drum": _drum, "engine": _engine,
    "rain": _rain, "siren": _siren, "string": _string, "wind": _wind,
}  # fmt: skip
"""Kinds of sound by name."""


def _partials(
    time: NDArray[np.float64], pitches: NDArray[np.float64], rings: NDArray[np.floating], dice: Dice
) -> NDArray[np.float64]:
    """Sines of ``pitches`` in Hz, (K,), that die away in ``rings`` seconds, (K,)."""
    levels = dice.random.uniform(0.4, 1.0, len(pitches)) / np.sqrt(np.arange(1, len(pitches) + 1))
    levels = levels * (pitches < 0.45 * RATE)
    waves = np.sin(2 * np.pi * pitches[:, None] * time + dice.random.uniform(0, 6, (len(pitches), 1)))
    made: NDArray[np.float64] = (levels[:, None] * np.exp(-time / rings[:, None]) * waves).sum(0)
    return made


def _sung(frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    """A sine of a changing frequency in Hz, (T,)."""
    return np.asarray(np.sin(2 * np.pi * np.cumsum(frequency) / RATE))


def _tilted(count: int, slope: float, dice: Dice) -> NDArray[np.float64]:
    """Noise whose amplitude goes with frequency to the power of ``slope``."""
    spectrum = np.fft.rfft(dice.random.standard_normal(count))
    spectrum *= np.maximum(np.arange(len(spectrum)), 20.0) ** slope
    made = np.fft.irfft(spectrum, count)
    return np.asarray(made / np.abs(made).max())
