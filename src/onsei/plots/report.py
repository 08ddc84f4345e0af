"""The HTML report: one file with text, tables, figures and sound inside, which needs nothing from outside.

A page holds one chapter or several: each system writes its chapter by itself, and the page is put together from all
that are there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from importlib.resources import files
from pathlib import Path

from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from onsei import __version__
from onsei.errors import DataError
from onsei.paths import write_text
from onsei.plots import cells
from onsei.plots.cells import Cell, Marked, Sound

__all__ = ["Chapter", "Marked", "Report", "Sound"]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
# No script at all, and nothing from outside, whatever a transcript holds.
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


class Report:
    """A report, filled from top to bottom and then saved as a page or as a chapter of one."""

    def __init__(self, title: str, subtitle: str = "") -> None:
        self.title = title
        self.subtitle = subtitle
        self._sections: list[str] = []
        self._parts: list[str] = []

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
        """Add a table. Cells are text, numbers, None, ``Sound`` (a player) or ``Marked`` (text with marks).

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
        return Chapter(name, self.title, self.subtitle, order, list(self._sections), "".join(self._parts))


def _read(part: Path) -> Chapter:
    try:
        return Chapter(**json.loads(part.read_text(encoding="utf-8")))
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
    css = files("onsei.plots").joinpath("report.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{escape(title)}</title>\n<style>\n{css}</style>\n</head>\n<body>\n<main>\n"
        f"<header><h1>{escape(title)}</h1>{_subtitle(subtitle)}</header>\n{_contents(chapters, many)}\n{body}\n"
        f"<footer>Made with onsei {__version__}</footer>\n</main>\n</body>\n</html>\n"
    )


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
