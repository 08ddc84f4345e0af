"""A strip of words under a picture that shares its time axis."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from onsei.plots.sound import Word
from onsei.plots.style import FAINT, INK, PALETTE, dress, fonts


def axes_with_words(figure: Figure, words: Sequence[Word], strip: float = 0.16) -> tuple[Axes, Axes | None]:
    """Axes for the picture, and below them axes for ``words``, a ``strip`` of the height; None without words."""
    if not words:
        return figure.add_subplot(), None
    grid = figure.add_gridspec(2, 1, height_ratios=[1 - strip, strip], hspace=0)
    picture = figure.add_subplot(grid[0])
    return picture, figure.add_subplot(grid[1], sharex=picture)


def draw_words(picture: Axes, strip: Axes, words: Sequence[Word], duration: float) -> None:
    """Write each word between its times, with boundaries drawn through the picture.

    Words that overlap or hardly last are still written; a narrow one is set smaller.
    """
    width = strip.figure.get_figure(root=True).get_size_inches()[0] * 72 * 0.85
    for i, (word, start, end) in enumerate(words):
        strip.axvspan(start, end, color=PALETTE[0], alpha=0.16 if i % 2 else 0.28, linewidth=0)
        room = (end - start) / duration * width
        size = min(10.0, max(5.0, room / max(1, len(word)) * 1.5))
        strip.text(
            (start + end) / 2, 0.5, word, ha="center", va="center", fontsize=size, color=INK, clip_on=True,
            fontfamily=list(fonts()), parse_math=False,
        )  # fmt: skip
        for edge in {start, end}:
            picture.axvline(edge, color="white", linewidth=1.4, alpha=0.5)
            picture.axvline(edge, color=INK, linewidth=0.6, linestyle=(0, (3, 3)))
    dress(strip, x="time in seconds")
    strip.set(yticks=[], ylim=(0, 1), xlim=(0, duration))
    strip.spines["left"].set_visible(False)
    strip.spines["bottom"].set_color(FAINT)
    picture.tick_params(labelbottom=False, bottom=False)
    picture.set_xlabel("")
