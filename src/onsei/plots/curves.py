"""Curves of a training run: metrics over steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from onsei.errors import DataError
from onsei.plots.points import points, thin
from onsei.plots.style import INK, PALETTE, dress, figure, fonts


def curves(
    rows: Iterable[Mapping[str, Any]], keys: Sequence[str], *, x: str = "step", y: str = "", log: bool = False
) -> Figure:
    """Each of ``keys`` over ``x`` in one picture; those of validation are drawn bold, with a mark at each value.

    Args:
        rows: as in ``metrics.jsonl``; a row need not have every key.
        keys: such as ``train/loss``, ``val/loss``. A key without any finite value is left out.
        x: key of the horizontal axis.
        y: what the vertical axis says.
        log: logarithmic vertical axis (values at or below 0 are left out).

    Raises:
        DataError: no row has a finite number under any of ``keys``.
    """
    rows = list(rows)
    found = {key: points(rows, key, x) for key in keys}
    found = {key: curve for key, curve in found.items() if len(curve[0])}
    if not found:
        known = sorted({key for row in rows for key in row})
        raise DataError(
            f"no values of {', '.join(keys)} in {len(rows)} rows", f"the rows have: {', '.join(known) or 'nothing'}"
        )
    drawn = figure(9.0, 3.2)
    axes = drawn.add_subplot()
    for i, (key, curve) in enumerate(found.items()):
        steps, values = thin(curve)
        bold = not key.startswith("train/")
        axes.plot(
            steps, values, label=key, color=PALETTE[i % len(PALETTE)], linewidth=2.0 if bold else 1.2,
            marker="o" if bold and len(steps) <= 60 else None, markersize=4,
        )  # fmt: skip
    if log:
        axes.set_yscale("log", nonpositive="mask")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    dress(axes, x=x, y=y, grid=True)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.margins(x=0.01)
    legend = axes.legend(
        frameon=False, ncols=min(4, len(found)), loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2
    )
    for text in legend.get_texts():
        text.set(color=INK, fontsize=10, fontfamily=list(fonts()))
        text.set_parse_math(False)
    return drawn
