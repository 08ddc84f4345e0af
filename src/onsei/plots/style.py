"""The look of every figure: transparent, in inks that follow the reader's light or dark page, Japanese included."""

from __future__ import annotations

import io
import re
import threading
import warnings
from functools import cache
from typing import Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.image import imread
from matplotlib.lines import Line2D
from matplotlib.spines import Spine
from matplotlib.text import Text
from numpy.typing import NDArray

INK = "#16181d"
"""Color of text and axes; becomes light on a dark page."""
FAINT = "#c9ced6"
"""Color of grids and boundaries; becomes dark on a dark page."""
PALETTE = ("#2f6fde", "#e07b39", "#2a9d6f", "#b5489b", "#c9a227", "#6b7a90", "#d1495b", "#3aa7c2")
"""Colors of data, readable on both pages."""
_DARK = {INK: "#e4e6ea", FAINT: "#3c424d"}
_PAPER = {"light": "#ffffff", "dark": "#14161a"}
_JAPANESE = (
    "Noto Sans CJK JP", "Noto Sans JP", "IPAexGothic", "IPAGothic", "TakaoPGothic", "VL PGothic", "Hiragino Sans",
    "Hiragino Kaku Gothic ProN", "Yu Gothic", "Meiryo", "MS Gothic",
)  # fmt: skip
_LARGEST_SVG = 1_500_000
_rendering = threading.Lock()


def figure(width: float = 9.0, height: float = 3.0) -> Figure:
    """An empty figure of ``width`` × ``height`` inches. Not known to pyplot, so nothing global is touched or leaks."""
    return Figure(figsize=(width, height), dpi=100, layout="constrained", facecolor="none")


def dress(axes: Axes, *, x: str = "", y: str = "", grid: bool = False) -> None:
    """Give ``axes`` the house's look: labels ``x`` and ``y``, open top and right, quiet ticks."""
    axes.set_facecolor("none")
    axes.spines[["top", "right"]].set_visible(False)
    for spine in axes.spines.values():
        spine.set_color(FAINT)
    axes.tick_params(which="both", colors=INK, labelsize=9, length=3, color=FAINT, labelfontfamily=list(fonts()))
    for text, setter in ((x, axes.set_xlabel), (y, axes.set_ylabel)):
        setter(text, color=INK, fontsize=10, fontfamily=list(fonts()))
    if grid:
        axes.grid(axis="y", color=FAINT, linewidth=0.6)
        axes.set_axisbelow(True)


@cache
def fonts() -> tuple[str, ...]:
    """Font families to draw text with: matplotlib's own, then the Japanese ones of this machine."""
    installed = {font.name for font in fontManager.ttflist}
    return ("DejaVu Sans", *(name for name in _JAPANESE if name in installed))


def to_svg(figure: Figure, theme: Literal["auto", "light", "dark"] = "auto") -> str:
    """``figure`` as an SVG document whose text stays text, so that the reader's own fonts draw every script.

    Light and dark follow the reader's system for figures made by ``onsei.plots.style.figure``, and the background is
    the page's, unless ``theme`` says otherwise.
    """
    stream = io.StringIO()
    with _rendering, warnings.catch_warnings():
        # Where this machine lacks a glyph it only cannot measure it; the reader's machine will draw it.
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*")
        with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "onsei"}):
            figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    text = re.sub(r"^.*?(?=<svg)", "", stream.getvalue(), flags=re.DOTALL)
    text = text.replace("'DejaVu Sans'", "system-ui, 'DejaVu Sans'")
    light = "".join(f"--c{i}:{color};" for i, color in enumerate(_DARK))
    dark = "".join(f"--c{i}:{color};" for i, color in enumerate(_DARK.values()))
    for i, color in enumerate(_DARK):
        text = text.replace(color, f"var(--c{i})")
    rules = f"svg{{{light}}}@media (prefers-color-scheme: dark){{svg{{{dark}}}}}"
    if theme != "auto":
        rules = f"svg{{{light if theme == 'light' else dark}background:{_PAPER[theme]}}}"
    rules = f"<style>{rules}</style>"
    return re.sub(r"(<svg[^>]*>)", lambda found: found[1] + rules, text, count=1)


def to_png(figure: Figure, scale: float = 2.0, *, dark: bool = False) -> bytes:
    """``figure`` as a PNG picture, ``scale`` × 100 dots an inch.

    On white where the figure has no color of its own; ``dark`` sets it on a dark ground, and its inks light for good.
    """
    stream = io.BytesIO()
    clear = to_rgba(figure.get_facecolor())[3] == 0
    if dark:
        _darken(figure)
    with _rendering, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*")
        FigureCanvasAgg(figure).print_figure(
            stream,
            format="png",
            dpi=100 * scale,
            facecolor=_PAPER["dark" if dark else "light"] if clear else "auto",
            metadata={"Software": None},
        )
    return stream.getvalue()


def to_array(figure: Figure, scale: float = 1.5) -> NDArray[np.uint8]:
    """``figure`` on white as pixels, shape (height, width, 3), ``scale`` × 100 dots an inch."""
    pixels = imread(io.BytesIO(to_png(figure, scale)), format="png")
    return np.round(255 * np.asarray(pixels)[..., :3]).astype(np.uint8)


def _darken(figure: Figure) -> None:
    for axes in figure.axes:
        axes.tick_params(which="both", colors=_DARK[INK], grid_color=_DARK[FAINT])
        axes.tick_params(which="both", color=_DARK[FAINT])
    inks = {to_rgba(light): other for light, other in _DARK.items()}
    for part in figure.findobj(lambda a: isinstance(a, (Text, Line2D, Spine))):
        color = part.get_edgecolor() if isinstance(part, Spine) else part.get_color()  # type: ignore[attr-defined]
        if to_rgba(color) in inks:
            part.set_color(inks[to_rgba(color)])  # type: ignore[attr-defined]


def to_picture(figure: Figure) -> tuple[str, bytes]:
    """MIME type and content of ``figure``: SVG, or PNG where SVG would be over 1.5 MB (many points)."""
    svg = to_svg(figure).encode()
    return ("image/svg+xml", svg) if len(svg) <= _LARGEST_SVG else ("image/png", to_png(figure))
