"""Pictures of translation: a sound with the units that were heard in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from onsei.data.row import Phone
from onsei.metrics.units import collapsed
from onsei.plots import style
from onsei.plots.units import with_strips

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def spectrogram_with_units(
    samples: NDArray[np.float32],
    rate: int,
    units: NDArray[np.int64],
    frame_seconds: float,
    phones: Sequence[Phone] = (),
) -> Figure:
    """Spectrogram of samples, (T,), at ``rate`` Hz; its units, (F,), and aligned phones under it."""
    duration = len(samples) / rate
    kept, lengths = collapsed(units)
    ends = np.minimum(np.cumsum(lengths) * frame_seconds, duration)
    starts = np.concatenate([[0.0], ends[:-1]])
    strips = {"units": [(str(u), float(a), float(b)) for u, a, b in zip(kept, starts, ends, strict=True) if b > a]}
    said = [(p.symbol, p.start, min(p.end, duration)) for p in phones if p.start is not None and p.end is not None]
    inside = [word for word in said if word[1] < word[2]]
    return with_strips(samples, rate, {**strips, **({"phones": inside} if inside else {})})


def pictures_in_a_row(pictures: Sequence[NDArray[np.uint8]], titles: Sequence[str]) -> Figure:
    """Pictures, (H, W, 3) each, side by side with a line of text above each."""
    figure = style.figure(1.7 * max(1, len(pictures)), 2.1)
    grid = figure.subplots(1, max(1, len(pictures)), squeeze=False)[0]
    for axes, pixels, title in zip(grid, pictures, titles, strict=False):
        axes.imshow(pixels)
        axes.set_axis_off()
        axes.set_title(title, color=style.INK, fontsize=9, fontfamily=list(style.fonts()))
    return figure
