"""Figures of a classifier: the matrix of classes, and how far its confidence can be trusted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from onsei.errors import DataError
from onsei.metrics.classification import Calibration
from onsei.plots.style import FAINT, INK, PALETTE, dress, figure, fonts

_NUMBERED = 25
"""Up to so many classes, cells hold their counts."""


def confusion(labels: Sequence[str], counts: NDArray[np.int64]) -> Figure:
    """The matrix of classes: rows are what clips are, columns what they were taken for, colors shares of the row.

    Args:
        labels: names of the C classes.
        counts: clips, shape (C, C).

    Raises:
        DataError: the matrix is of another size.
    """
    if np.shape(counts) != (len(labels), len(labels)) or not len(labels):
        raise DataError(f"expected a matrix of {len(labels)} classes, found shape {np.shape(counts)}")
    size = min(12.0, 2.2 + 0.42 * len(labels))
    drawn = figure(size + 0.8, size)
    axes = drawn.add_subplot()
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="equal")
    dress(axes, x="taken for", y="is")
    small = 9 if len(labels) <= _NUMBERED else 5
    for axis, angle in ((axes.xaxis, 90), (axes.yaxis, 0)):
        axis.set_ticks(range(len(labels)), labels, rotation=angle, fontsize=small, fontfamily=list(fonts()))
        for text in axis.get_ticklabels():
            text.set_parse_math(False)
    if len(labels) <= _NUMBERED:
        for i, j in np.argwhere(counts):
            color = "#ffffff" if shares[i, j] > 0.55 else "#16181e"
            axes.text(j, i, f"{counts[i, j]:d}", ha="center", va="center", fontsize=8, color=color)
    axes.spines[:].set_visible(False)
    return drawn


def reliability(found: Calibration) -> Figure:
    """Accuracy over confidence, beside the line of a perfectly calibrated classifier; below, the clips of each bin.

    Raises:
        DataError: no clips were counted.
    """
    if not found.clips.sum():
        raise DataError("no clips were counted", "measure a classifier first")
    bins = len(found.clips)
    middles, width = (np.arange(bins) + 0.5) / bins, 0.9 / bins
    drawn = figure(5.6, 4.4)
    top, bottom = drawn.subplots(2, 1, sharex=True, height_ratios=[3.2, 1])
    full = found.clips > 0
    top.bar(middles[full], 100 * found.accuracy[full], width, color=PALETTE[0], label="accuracy")
    right, sure = 100 * found.accuracy[full], 100 * found.confidence[full]
    top.bar(
        middles[full], np.abs(sure - right), width, np.minimum(sure, right), color="none", edgecolor=PALETTE[1],
        hatch="////", linewidth=0.8, label="gap to confidence",
    )  # fmt: skip
    top.plot([0, 1], [0, 100], color=INK, linewidth=1, linestyle=(0, (4, 3)))
    top.set(xlim=(0, 1), ylim=(0, 100))
    dress(top, y="accuracy in %", grid=True)
    legend = top.legend(frameon=False, loc="upper left", fontsize=9)
    for text in legend.get_texts():
        text.set(color=INK, fontfamily=list(fonts()))
    bottom.bar(middles, found.clips, width, color=FAINT)
    dress(bottom, x="confidence", y="clips")
    return drawn
