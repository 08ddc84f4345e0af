"""A sound's waveform over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from onsei.plots.sound import Word, checked_words, mono
from onsei.plots.style import PALETTE, dress, figure
from onsei.plots.words import axes_with_words, draw_words

_COLUMNS = 1200


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
    if len(sound) <= 2 * _COLUMNS:
        axes.plot(np.arange(len(sound)) / rate, sound, color=PALETTE[0], linewidth=0.9)
    else:
        starts = np.linspace(0, len(sound), _COLUMNS, endpoint=False).astype(int)
        low, high = np.minimum.reduceat(sound, starts), np.maximum.reduceat(sound, starts)
        axes.fill_between(starts / rate, low, high, color=PALETTE[0], linewidth=0.5)
    limit = max(1e-3, float(np.abs(sound).max())) * 1.05
    dress(axes, x="time in seconds", y="amplitude")
    axes.set(xlim=(0, duration), ylim=(-limit, limit))
    if strip is not None:
        draw_words(axes, strip, said, duration)
    return drawn
