"""The HTML report: one file with text, tables, figures and sound inside, which needs nothing from outside.

A page holds one chapter or several: each system writes its chapter by itself, and the page is put together from all
that are there.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from importlib.resources import files
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from onsei import __version__
from onsei.errors import DataError
from onsei.paths import write_text
from onsei.plots import cells
from onsei.plots import gallery as galleries
from onsei.plots.cells import Bar, Cell, Marked, Sound
from onsei.plots.gallery import Show

__all__ = ["Bar", "Chapter", "Marked", "Report", "Show", "Sound"]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_SCRIPTS = (galleries.SCRIPT,)
# No script but our own, and nothing from outside, whatever a transcript holds.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:"


@dataclass(frozen=True)
class Chapter:
    """A chapter as it is kept beside the page."""

    name: str
    """Short name in the page's addresses and in the part's file name."""
    title: str
    subtitle: str
    order: int
    """Chapters stand by this number, then by name."""
    sections: list[str]
    """The sections' titles."""
    body: str
    """HTML, in which each ``<!--section-->`` stands for the head of the next section."""
    scripts: list[str] = field(default_factory=list)
    """Names of the scripts of ``onsei.plots`` that it needs."""


class Report:
    """A report, filled from top to bottom and then saved as a page or as a chapter of one."""

    def __init__(self, title: str, subtitle: str = "") -> None:
        self.title = title
        self.subtitle = subtitle
        self._sections: list[str] = []
        self._parts: list[str] = []
        self._scripts: list[str] = []

    def section(self, title: str, text: str = "") -> None:
        """Begin a section."""
        self._sections.append(title)
        self._parts.append("<!--section-->")
        self.text(text)

    def text(self, text: str) -> None:
        """Add paragraphs, parted by blank lines; words in backticks are set as code."""
        self._parts.append(cells.paragraphs(text))

    def code(self, text: str) -> None:
        """Add a command or a piece of code."""
        self._parts.append(cells.code(text))

    def table(self, header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        """Add a table.

        Cells are text, numbers, None, ``Sound`` (a player), ``Marked`` (text with marks), ``Bar`` (a share) or ``Show``
        (a button that chooses clips of the gallery).

        Raises:
            DataError: a row is not as long as the header.
        """
        for i, row in enumerate(rows):
            if len(row) != len(header):
                raise DataError(f"row {i} of the table: expected {len(header)} cells, found {len(row)}", "fill the row")
        self._parts.append(cells.table(header, rows))

    def metrics(self, values: Mapping[str, str | int | float | None]) -> None:
        """Add a few important values as tiles."""
        self._parts.append(cells.metrics(values))

    def figure(self, figure: Figure, caption: str = "") -> None:
        """Add a matplotlib figure."""
        self._parts.append(cells.picture(figure, caption))

    def audio(self, samples: ArrayLike, rate: int, caption: str = "") -> None:
        """Add a player with ``samples`` of shape (T,) or (T, C), from -1 to 1, at ``rate`` Hz, inside.

        Raises:
            DataError: the sound is empty or not finite.
        """
        self._parts.append(cells.captioned(Sound(samples, rate), caption))

    def video(self, film: bytes, caption: str = "") -> None:
        """Add a player with the content of an mp4 file inside."""
        self._parts.append(cells.film(film, caption))

    def matrix(self, labels: Sequence[str], counts: NDArray[np.int64]) -> None:
        """Add the matrix of classes, shape (C, C), whose cells choose clips of the gallery by ``gallery.cell``."""
        self._parts.append(galleries.matrix(labels, counts))

    def gallery(self, clips: Sequence[str], choices: Sequence[Show] = ()) -> None:
        """Add clips to look at and listen to, as ``onsei.plots.gallery.fitted`` gives them; once a report."""
        self._scripts = [galleries.SCRIPT]
        self._parts.append(galleries.gallery(clips, choices))

    def save(self, path: Path) -> Path:
        """Write the page with this report alone."""
        page = _page(self.title, self.subtitle, [self._chapter("report", 0)])
        write_text(Path(path), page)
        return Path(path)

    def save_chapter(self, path: Path, name: str, *, title: str, subtitle: str = "", order: int = 0) -> Path:
        """Write this report as a chapter of the page ``path``, beside the chapters that are there already.

        The chapters are kept in the folder ``NAME.chapters`` beside ``NAME.html``; saving one again replaces it.

        Args:
            path: the page.
            name: the chapter's name: small letters, digits and hyphens.
            title: the page's title.
            subtitle: the page's subtitle.
            order: place of the chapter in the page.

        Raises:
            DataError: the name is of another form, or a chapter that is there is damaged.
        """
        if not _NAME.fullmatch(name):
            raise DataError(f"chapter {name!r}: expected small letters, digits and hyphens", "choose such a name")
        path = Path(path)
        folder = path.with_name(f"{path.stem}.chapters")
        chapter = self._chapter(name, order)
        others = [_read(part) for part in sorted(folder.glob("*.json")) if part.stem != name]
        write_text(folder / f"{name}.json", json.dumps(asdict(chapter), ensure_ascii=False))
        chapters = sorted([chapter, *others], key=lambda c: (c.order, c.name))
        write_text(path, _page(title, subtitle, chapters, many=True))
        return path

    def _chapter(self, name: str, order: int) -> Chapter:
        return Chapter(
            name, self.title, self.subtitle, order, list(self._sections), "".join(self._parts), self._scripts
        )


def _read(part: Path) -> Chapter:
    try:
        chapter = Chapter(**json.loads(part.read_text(encoding="utf-8")))
        if not set(chapter.scripts) <= set(_SCRIPTS):
            raise ValueError(f"scripts {chapter.scripts}")
        return chapter
    except (ValueError, TypeError) as error:
        raise DataError(
            f"{part}: not a chapter of a report ({error})", "delete it and make that chapter again"
        ) from None


def _page(title: str, subtitle: str, chapters: Sequence[Chapter], many: bool = False) -> str:
    if many:
        body = "".join(
            f'<section class="chapter" id="{c.name}"><h2>{escape(c.title)}</h2>{_subtitle(c.subtitle)}'
            f"{_body(c, 3)}</section>\n"
            for c in chapters
        )
    else:
        body = "".join(_body(c, 2) for c in chapters)
    scripts = [_text(name) for name in _SCRIPTS if any(name in c.scripts for c in chapters)]
    css = _text("report.css") + _text("gallery.css")
    policy = _POLICY + ("; script-src " + " ".join(map(_allowed, scripts)) if scripts else "")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{escape(title)}</title>\n<style>\n{css}</style>\n</head>\n<body>\n<main>\n"
        f"<header><h1>{escape(title)}</h1>{_subtitle(subtitle)}</header>\n{_contents(chapters, many)}\n{body}\n"
        f"<footer>Made with onsei {__version__}</footer>\n</main>\n"
        f"{''.join(f'<script>{script}</script>' for script in scripts)}</body>\n</html>\n"
    )


def _text(name: str) -> str:
    return files("onsei.plots").joinpath(name).read_text(encoding="utf-8")


def _allowed(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _body(chapter: Chapter, level: int) -> str:
    first, *rest = chapter.body.split("<!--section-->")
    heads = (
        f'<h{level} id="{chapter.name}-{i}">{escape(title)}</h{level}>' for i, title in enumerate(chapter.sections)
    )
    return first + "".join(head + part for head, part in zip(heads, rest, strict=True))


def _contents(chapters: Sequence[Chapter], many: bool) -> str:
    """A table of contents, where there is enough to find."""
    if len(chapters) + sum(len(c.sections) for c in chapters) <= 4:
        return ""
    lists = []
    for c in chapters:
        rows = "".join(f'<li><a href="#{c.name}-{i}">{escape(title)}</a></li>' for i, title in enumerate(c.sections))
        lists.append(f'<li><a href="#{c.name}">{escape(c.title)}</a><ol>{rows}</ol></li>' if many else rows)
    return f'<nav aria-label="Contents"><ol>{"".join(lists)}</ol></nav>'


def _subtitle(text: str) -> str:
    return f'<p class="subtitle">{escape(text)}</p>' if text else ""
