"""Pictures of articulation: log-mels read off films, beside the true ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from onsei.plots.style import INK, dress, figure, fonts
from onsei.vocoder.definition import MelDefinition

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_RANGE = 70.0


def mels(shown: Mapping[str, NDArray[np.float32]], definition: MelDefinition) -> Figure:
    """Log-mels (M, F) in dB by their names, one below the other on one axis of time."""
    drawn = figure(9.0, 0.6 + 2.0 * len(shown))
    panels = drawn.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
    loudest = max(float(mel.max()) for mel in shown.values())
    for axes, (name, mel) in zip(panels, shown.items(), strict=True):
        image = axes.imshow(
            mel, origin="lower", aspect="auto", cmap="magma", vmin=loudest - _RANGE, vmax=loudest,
            extent=(0, definition.seconds(mel.shape[1]), 0, len(mel)), interpolation="none",
        )  # fmt: skip
        dress(axes, x="time in seconds" if axes is panels[-1] else "", y="mel band")
        axes.set_title(name, loc="left", color=INK, fontsize=10, fontfamily=list(fonts()), parse_math=False)
    bar = drawn.colorbar(image, ax=list(panels), pad=0.01, aspect=15 * len(shown))
    bar.set_label("dB", color=INK, fontsize=10, fontfamily=list(fonts()))
    bar.outline.set_visible(False)
    return drawn
