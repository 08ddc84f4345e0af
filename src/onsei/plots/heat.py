"""Heat maps laid over gray pictures.

T pictures, H height, W width.
"""

from __future__ import annotations

from functools import cache

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from onsei.plots.style import INK, figure

Pixels = NDArray[np.uint8]
Heat = NDArray[np.float32]

ORANGE, BLUE = (255, 120, 20), (40, 170, 255)
"""Colors of the first and the second of two maps."""


@cache
def _table() -> NDArray[np.float32]:
    return np.asarray(matplotlib.colormaps["turbo"](np.arange(256))[:, :3] * 255, np.float32)


def overlaid(picture: Pixels, heat: Heat, alpha: float) -> Pixels:
    """A gray picture (H, W) under ``heat`` (H, W) of 0..1, which covers it by ``alpha`` · heat: (H, W, 3)."""
    return _mixed(picture, [(_table()[np.rint(heat * 255).astype(np.uint8)], heat)], alpha)


def overlaid_twice(picture: Pixels, first: Heat, second: Heat, alpha: float) -> Pixels:
    """The same with two maps, orange and blue; where both are hot they mix."""
    layers = [(np.array(color, np.float32), heat) for color, heat in ((ORANGE, first), (BLUE, second))]
    return _mixed(picture, layers, alpha)


def _mixed(picture: Pixels, layers: list[tuple[NDArray[np.float32], Heat]], alpha: float) -> Pixels:
    covers = [np.float32(alpha) * heat[..., None] for _, heat in layers]
    total = np.maximum(sum(covers), np.float32(1e-6))
    color = sum(cover * tint for cover, (tint, _) in zip(covers, layers, strict=True)) / total
    cover = np.minimum(total, 1)
    mixed: NDArray[np.float32] = picture[..., None] * (1 - cover) + color * cover
    return np.rint(mixed).astype(np.uint8)


def sheet(pictures: list[tuple[str, Pixels]], columns: int = 5, title: str = "") -> Figure:
    """Pictures (H, W) or (H, W, 3), each under its name, in rows of ``columns``."""
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    drawn = figure(1.9 * columns, 2.15 * rows + (0.3 if title else 0))
    for axes, (name, pixels) in zip(drawn.subplots(rows, columns, squeeze=False).flat, pictures, strict=False):
        axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="bilinear")
        axes.set_title(name, fontsize=9, color=INK)
    for axes in drawn.axes:
        axes.set_axis_off()
    if title:
        drawn.suptitle(title, fontsize=10, color=INK)
    return drawn
