"""Where the decoder looked while it wrote, as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onsei.plots import style
from onsei.systems.translation.translator.inference import Attention

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def attention_figure(attention: Attention) -> Figure:
    """Tokens downward, the clip from left to right; darker where a token hangs on the sound more."""
    count = max(1, len(attention.pieces))
    figure = style.figure(8.0, 0.9 + 0.28 * count)
    axes = figure.add_subplot()
    style.dress(axes, x="part of the clip")
    if len(attention.pieces):
        # Attention that is spread evenly must look pale, whatever its highest value.
        highest = max(float(attention.weights.max()), 4.0 / attention.weights.shape[1])
        axes.imshow(
            attention.weights, aspect="auto", cmap="Blues", interpolation="nearest", vmin=0.0, vmax=highest,
            extent=(0.0, 1.0, count - 0.5, -0.5),
        )  # fmt: skip
    axes.set_yticks(range(len(attention.pieces)), [piece.strip() or "␣" for piece in attention.pieces])
    return figure
