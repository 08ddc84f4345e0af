"""A sound's waveform over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from onsei.plots.envelope import Envelope, envelope
from onsei.plots.sound import Word, checked_words, mono
from onsei.plots.style import PALETTE, dress, figure
from onsei.plots.words import axes_with_words, draw_words


def waveform(samples: ArrayLike, rate: int, words: Sequence[Word] | None = None) -> Figure:
    """Amplitude over seconds; for long sounds the span from lowest to highest sample of each column.

    Args:
        samples: (T,) or (T, C), from -1 to 1; channels are averaged.
        rate: samples per second.
        words: aligned words to write below.

    Raises:
        DataError: the sound is empty or not finite, or a word ends before it starts.
    """
    sound, said = mono(samples, rate), checked_words(words)
    duration = len(sound) / rate
    drawn = figure(9.0, 2.6 if said else 2.0)
    axes, strip = axes_with_words(drawn, said, 0.22)
    draw_envelope(axes, envelope(sound, rate), rate)
    dress(axes, x="time in seconds", y="amplitude")
    if strip is not None:
        draw_words(axes, strip, said, duration)
    return drawn


def draw_envelope(axes: Axes, found: Envelope, rate: int, start: float = 0.0) -> None:
    """Draw ``found`` over seconds from ``start`` on: a line, or the span of each column where it has many samples."""
    times = start + np.arange(len(found.low)) * found.step / rate
    if found.step == 1:
        few = len(times) <= 60
        axes.plot(times, found.low, color=PALETTE[0], linewidth=0.9, marker="." if few else None)
    else:
        axes.fill_between(times, found.low, found.high, color=PALETTE[0], linewidth=0.6)
    limit = max(1e-3, float(-found.low.min()), float(found.high.max())) * 1.05
    axes.set(xlim=(start, start + found.samples / rate), ylim=(-limit, limit))
