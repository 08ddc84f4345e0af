"""Panels, the pictures of one sound: drawn alone, or one below the other with one time axis."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter
from numpy.typing import NDArray

from onsei.audio.features.mel import hz_to_mel
from onsei.errors import DataError
from onsei.plots.envelope import Envelope
from onsei.plots.levels import Levels, Spectrum
from onsei.plots.style import FAINT, INK, PALETTE, dress, figure, fonts
from onsei.plots.waveform import draw_envelope

Language = Literal["en", "ja"]
Scale = Literal["linear", "log", "mel"]
WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "time": "time in seconds", "amplitude": "amplitude", "frequency": "frequency in Hz", "level": "level in dB",
        "waveform": "waveform", "spectrum": "spectrum", "spectrogram": "spectrogram", "mel": "mel spectrogram",
    },
    "ja": {
        "time": "時間（秒）", "amplitude": "振幅", "frequency": "周波数（Hz）", "level": "レベル（dB）",
        "waveform": "波形", "spectrum": "周波数スペクトル", "spectrogram": "スペクトログラム",
        "mel": "メルスペクトログラム",
    },
}  # fmt: skip
LOWEST = 20.0
"""Hz at the lower end of logarithmic axes: where hearing begins."""
_ROWS = 400
_COLUMNS = 1400
_ROUND = (20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000)


class Panel(Protocol):
    """A picture of a sound."""

    @property
    def kind(self) -> str:
        """``waveform``, ``spectrum``, ``spectrogram`` or ``mel``."""
        ...

    @property
    def height(self) -> int:
        """Usual height in pixels."""
        ...

    @property
    def timed(self) -> bool:
        """Whether the horizontal axis is time."""
        ...

    def draw(self, axes: Axes, language: Language) -> ScalarMappable | None:
        """Draw it; returns what a color bar explains."""
        ...


@dataclass(frozen=True)
class WaveformPanel:
    """Amplitude over time."""

    envelope: Envelope
    rate: int
    start: float = 0.0
    """Seconds at the left end."""
    kind: str = "waveform"
    height: int = 230
    timed: bool = True

    def draw(self, axes: Axes, language: Language) -> ScalarMappable | None:
        """Draw it."""
        draw_envelope(axes, self.envelope, self.rate, self.start)
        dress(axes, x=WORDS[language]["time"], y=WORDS[language]["amplitude"])
        axes.axhline(0, color=FAINT, linewidth=0.6, zorder=0)
        return None


@dataclass(frozen=True)
class SpectrumPanel:
    """Level over logarithmic frequency."""

    spectrum: Spectrum
    low: float
    """Hz at the left end, above 0."""
    high: float
    """Hz at the right end."""
    db_range: float
    kind: str = "spectrum"
    height: int = 320
    timed: bool = False

    def draw(self, axes: Axes, language: Language) -> ScalarMappable | None:
        """Draw it."""
        shown = self.spectrum.frequencies > 0
        hertz, level = self.spectrum.frequencies[shown], self.spectrum.decibels[shown]
        axes.set_xscale("log")
        few = len(hertz) <= 8
        axes.plot(hertz, level, color=PALETTE[0], linewidth=1.0, marker="o" if few else None, markersize=4)
        axes.fill_between(hertz, level, -self.db_range, color=PALETTE[0], alpha=0.14, linewidth=0)
        dress(axes, x=WORDS[language]["frequency"], y=WORDS[language]["level"], grid=True)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(axis="x", color=FAINT, linewidth=0.6)
        axes.set(xlim=(self.low, self.high), ylim=(-self.db_range * 1.01, self.db_range * 0.04))
        return None


@dataclass(frozen=True)
class LevelsPanel:
    """Levels by time and frequency, in color."""

    levels: Levels
    kind: str
    scale: Scale
    low: float
    """Hz at the lower end."""
    high: float
    """Hz at the upper end."""
    start: float
    """Seconds at the left end."""
    duration: float
    """Seconds from end to end."""
    db_range: float
    height: int = 340
    timed: bool = True

    def draw(self, axes: Axes, language: Language) -> ScalarMappable | None:
        """Draw it."""
        image, right = _columns(self._rows(), self.levels.step)
        left = self.start - self.levels.step / 2
        bottom, top = self._place(np.array([self.low, self.high]))
        drawn = axes.imshow(
            image, origin="lower", aspect="auto", cmap="magma", vmin=-self.db_range, vmax=0, interpolation="none",
            extent=(left, left + right, bottom, top), rasterized=True,
        )  # fmt: skip
        dress(axes, x=WORDS[language]["time"], y=WORDS[language]["frequency"])
        axes.set(xlim=(self.start, self.start + self.duration), ylim=(bottom, top))
        if self.scale != "linear":
            marks = self._place(np.array(self._marks(), float))
            axes.yaxis.set_major_locator(FixedLocator(marks.tolist()))
            axes.yaxis.set_major_formatter(lambda place, _: _written(self.hertz((place - bottom) / (top - bottom))))
        return drawn

    def _marks(self) -> list[float]:
        """Round frequencies, and the upper end, that have room beside each other on the axis."""
        found = [float(hertz) for hertz in (0, *_ROUND) if self.low <= hertz < self.high]
        found = [*found, self.high] if found[1:] else [self.low, self.high]
        places = self._place(np.maximum(np.array(found), self.low))
        gap, kept = (places[-1] - places[0]) / 16, [len(found) - 1]
        for i in range(len(found) - 2, -1, -1):
            if places[kept[-1]] - places[i] >= gap:
                kept.append(i)
        return [found[i] for i in reversed(kept)]

    def hertz(self, fraction: float) -> float:
        """Frequency at ``fraction`` of the height, from below."""
        bottom, top = self._place(np.array([self.low, self.high]))
        grid = (
            np.linspace(self.low, self.high, 4001) if self.scale != "log" else np.geomspace(self.low, self.high, 4001)
        )
        return float(np.interp(bottom + fraction * (top - bottom), self._place(grid), grid))

    def _place(self, hertz: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where ``hertz`` lie on the vertical axis."""
        if self.scale == "log":
            return np.log10(hertz)
        if self.scale == "mel":
            places: NDArray[np.float64] = hz_to_mel(torch.from_numpy(np.asarray(hertz, np.float64))).numpy()
            return places
        return hertz

    def _rows(self) -> NDArray[np.float32]:
        """Rows of the image, evenly spaced on the axis: the strongest bin of each, or the nearest one."""
        values, hertz = self.levels.decibels, self.levels.frequencies
        if self.scale == "mel":
            return values  # bands are evenly spaced already
        bottom, top = self._place(np.array([self.low, self.high]))
        half = (hertz[1] - hertz[0]) / 2 if len(hertz) > 1 else 1.0
        inside = int(((hertz >= self.low - half) & (hertz <= self.high + half)).sum())
        count = _ROWS if self.scale == "log" else max(1, min(_ROWS, inside))
        edges = np.linspace(bottom, top, count + 1)
        ends = np.clip(10**edges if self.scale == "log" else edges, 0, None)
        first = np.searchsorted(hertz, ends[:-1])
        last = np.searchsorted(hertz, ends[1:])
        nearest = np.clip(np.rint((ends[:-1] + ends[1:]) / 2 / (2 * half)).astype(int), 0, len(hertz) - 1)
        rows = [values[a:b].max(axis=0) if b > a else values[n] for a, b, n in zip(first, last, nearest, strict=True)]
        return np.stack(rows)


def compose(
    panels: Sequence[Panel], *, width: float = 900, height: float | None = None, title: str = "", language: Language
) -> Figure:
    """One figure of ``panels``, one below the other.

    Args:
        panels: from top to bottom.
        width, height: in pixels, of which 100 are an inch; default the sum of the panels' usual heights.
        title: written above.
        language: of the axes' labels.
    """
    tall = sum(p.height for p in panels) if height is None else height
    drawn = figure(width / 100, tall / 100)
    grid = drawn.add_gridspec(len(panels), 1, height_ratios=[p.height for p in panels])
    for i, panel in enumerate(panels):
        axes = drawn.add_subplot(grid[i])
        explained = panel.draw(axes, language)
        if explained is not None:
            bar = drawn.colorbar(explained, ax=axes, pad=0.01, aspect=28, fraction=0.05)
            bar.set_label("dB", color=INK, fontsize=10, fontfamily=list(fonts()))
            bar.ax.tick_params(colors=INK, labelsize=9, length=0)
            bar.outline.set_visible(False)
        if i == 0 and title:
            written = _shortened(title, width)
            axes.set_title(written, loc="left", color=INK, fontsize=11, fontfamily=list(fonts()), parse_math=False)
    drawn.align_ylabels()
    return drawn


def linear_limits(rate: int, f_min: float | None, f_max: float | None) -> tuple[float, float]:
    """Ends of a linear frequency axis in Hz. Raises DataError unless 0 <= f_min < f_max <= half the rate."""
    low, high = 0.0 if f_min is None else f_min, rate / 2 if f_max is None else f_max
    if not 0 <= low < high <= rate / 2:
        raise DataError(
            f"frequencies: expected 0 <= f_min < f_max <= {rate / 2:g} Hz, half the sample rate; "
            f"found {low:g} and {high:g}",
            "choose other limits",
        )
    return low, high


def log_limits(rate: int, f_min: float | None, f_max: float | None) -> tuple[float, float]:
    """Ends of a logarithmic frequency axis in Hz; ``f_min`` must be above 0. Errors as for ``linear_limits``."""
    low, high = linear_limits(rate, min(LOWEST, rate / 20) if f_min is None else f_min, f_max)
    if low <= 0:
        raise DataError("f_min: a logarithmic axis cannot begin at 0 Hz", "choose a limit above 0, such as 20")
    return low, high


def _columns(image: NDArray[np.float32], step: float) -> tuple[NDArray[np.float32], float]:
    """``image`` in at most so many columns as a picture shows, the strongest of each, and its width in seconds."""
    joined = -(-image.shape[1] // _COLUMNS)
    starts = np.arange(0, image.shape[1], joined)
    return np.maximum.reduceat(image, starts, axis=1), len(starts) * joined * step


def _written(hertz: float) -> str:
    return f"{hertz:.0f}" if hertz >= 1000 else f"{hertz:.4g}"


def _shortened(title: str, width: float) -> str:
    """``title`` without its middle, where it is too long for a picture of ``width`` pixels."""
    room = max(12, int(width / 9))
    wide = sum(2 if unicodedata.east_asian_width(c) in "FW" else 1 for c in title)
    if wide <= room:
        return title
    kept = max(4, int(len(title) * room / wide) // 2 - 1)
    return f"{title[:kept]}…{title[-kept:]}"
