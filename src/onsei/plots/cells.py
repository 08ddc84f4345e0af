"""Pieces of a report as HTML: every text is escaped here and nowhere else."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from onsei.plots import style
from onsei.plots.gallery import Show, button
from onsei.plots.sound import wav_bytes

Mark = Literal["", "good", "wrong", "missing", "added"]
_BAR = ' class="bar"'
_TAGS: dict[Mark, tuple[str, str]] = {
    "": ("", ""),
    "good": ('<span class="good">', "</span>"),
    "wrong": ('<span class="wrong">', "</span>"),
    "missing": ("<del>", "</del>"),
    "added": ("<ins>", "</ins>"),
}


@dataclass(frozen=True)
class Sound:
    """A player, as a table's cell."""

    samples: ArrayLike
    """Shape (T,) or (T, C), from -1 to 1."""
    rate: int
    """Hz."""


@dataclass(frozen=True)
class Marked:
    """A text in parts, each with a mark: what is right, wrong, missing or added in it."""

    parts: Sequence[tuple[str, Mark]]


@dataclass(frozen=True)
class Bar:
    """A share as a bar with its number."""

    share: float
    """0..1; nan is told as nothing."""


Cell = str | int | float | None | Sound | Marked | Bar | Show


def paragraphs(text: str) -> str:
    """Paragraphs of ``text``, which blank lines part; `` `words` `` in backticks are code."""
    blocks = [block.strip() for block in text.replace("\r\n", "\n").split("\n\n")]
    return "".join(f"<p>{_inline(block)}</p>" for block in blocks if block)


def code(text: str) -> str:
    """A block of code or a command."""
    return f"<pre><code>{escape(text)}</code></pre>"


def table(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """A table; columns of numbers are set flush right."""
    numeric = [
        any(_is_number(row[i]) for row in rows) and all(row[i] is None or _is_number(row[i]) for row in rows)
        for i in range(len(header))
    ]
    kinds = [' class="number"' if number else "" for number in numeric]
    head = "".join(f"<th{kind}>{escape(str(name))}</th>" for kind, name in zip(kinds, header, strict=True))
    body = "".join(
        "<tr>" + "".join(_td(kind, value) for kind, value in zip(kinds, row, strict=True)) + "</tr>" for row in rows
    )
    return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _td(kind: str, value: Cell) -> str:
    return f"<td{_BAR if isinstance(value, Bar) else kind}>{cell(value)}</td>"


def cell(value: Cell) -> str:
    """One value of a table."""
    if isinstance(value, Bar):
        return "–" if math.isnan(value.share) else _bar(value.share)
    if isinstance(value, Show):
        return button(value)
    if isinstance(value, Sound):
        return player(value)
    if isinstance(value, Marked):
        return " ".join(f"{_TAGS[mark][0]}{escape(text)}{_TAGS[mark][1]}" for text, mark in value.parts)
    return escape(shown(value))


def shown(value: str | int | float | None) -> str:
    """A value as people read it: four digits of a float, thousands parted, a dash for nothing."""
    if value is None or (isinstance(value, (float, np.floating)) and math.isnan(value)):
        return "–"
    if isinstance(value, (float, np.floating)):
        return f"{value:,.0f}" if abs(value) >= 1e4 and math.isfinite(value) else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, (int, np.integer)) and not isinstance(value, bool) else str(value)


def metrics(values: Mapping[str, str | int | float | None]) -> str:
    """Tiles of a few important values."""
    tiles = (f"<div><dt>{escape(str(k))}</dt><dd>{escape(shown(v))}</dd></div>" for k, v in values.items())
    return f'<dl class="metrics">{"".join(tiles)}</dl>'


def picture(figure: Figure, caption: str) -> str:
    """A figure with its caption, as an image that can run no script."""
    kind, content = style.to_picture(figure)
    source = f'<img alt="{escape(caption)}" src="{_data(kind, content)}">'
    return f'<figure><div class="wide">{source}</div>{_caption(caption)}</figure>'


def player(sound: Sound) -> str:
    """A player that holds its sound. Raises DataError for samples that are empty or not finite."""
    return (
        f'<audio controls preload="metadata" src="{_data("audio/wav", wav_bytes(sound.samples, sound.rate))}"></audio>'
    )


def captioned(sound: Sound, caption: str) -> str:
    """A player with its caption."""
    return f"<figure>{player(sound)}{_caption(caption)}</figure>"


def film(content: bytes, caption: str) -> str:
    """A player that holds an mp4 film, with its caption."""
    player = f'<video controls playsinline preload="auto" src="{_data("video/mp4", content)}"></video>'
    return f"<figure>{player}{_caption(caption)}</figure>"


def _bar(share: float) -> str:
    return f'<i><b style="width:{100 * min(max(share, 0.0), 1.0):.1f}%"></b></i>{100 * share:.1f} %'


def _caption(text: str) -> str:
    return f"<figcaption>{_inline(text)}</figcaption>" if text else ""


def _inline(text: str) -> str:
    parts = escape(text).split("`")
    if len(parts) % 2 == 0:  # an odd backtick is only a backtick
        parts[-2:] = ["`".join(parts[-2:])]
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _is_number(value: Cell) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
