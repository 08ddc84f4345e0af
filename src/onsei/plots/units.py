"""A sound's spectrogram with what was found in it in strips below: discovered units, and phones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from onsei.plots.sound import Word, checked_words, mono
from onsei.plots.spectrogram import levels
from onsei.plots.style import INK, dress, figure, fonts
from onsei.plots.words import draw_words

_STRIP = 0.13
_RANGE = 80.0


def with_strips(samples: ArrayLike, rate: int, strips: Mapping[str, Sequence[Word]]) -> Figure:
    """Level in dB below the loudest point over seconds and kHz; a strip of names in their times for each of ``strips``.

    Args:
        samples: (T,) or (T, C), from -1 to 1; channels are averaged.
        rate: samples per second.
        strips: by their titles.

    Raises:
        DataError: the sound is empty or not finite, or a name ends before it starts.
    """
    sound = mono(samples, rate)
    said = {title: checked_words(words) for title, words in strips.items()}
    duration = len(sound) / rate
    drawn = figure(max(9.0, 2.2 * duration), 3.4 + 0.5 * len(said))
    grid = drawn.add_gridspec(1 + len(said), 1, height_ratios=[1 - _STRIP * len(said), *[_STRIP] * len(said)], hspace=0)
    picture = drawn.add_subplot(grid[0])
    picture.imshow(
        levels(sound, rate), origin="lower", aspect="auto", cmap="magma", vmin=-_RANGE, vmax=0,
        extent=(0, duration, 0, rate / 2000), interpolation="none",
    )  # fmt: skip
    dress(picture, x="" if said else "time in seconds", y="frequency in kHz")
    for place, (title, words) in enumerate(said.items(), 1):
        strip = drawn.add_subplot(grid[place], sharex=picture)
        draw_words(picture, strip, words, duration)
        strip.set_ylabel(title, rotation=0, ha="right", va="center", color=INK, fontsize=10, fontfamily=list(fonts()))
        if place < len(said):
            strip.tick_params(labelbottom=False, bottom=False)
            strip.set_xlabel("")
    return drawn
