"""HTS label files: phones with their times, bare or in full context."""

from __future__ import annotations

import re
from pathlib import Path

from onsei.data.row import Phone
from onsei.errors import DataError

_CONTEXT = re.compile(r"(?<=-)[^-+]+(?=\+)")
_SECOND = 10_000_000  # times count 100 ns
SILENCES = ("pau", "sil", "br")
"""What names of pauses and breaths begin with."""


def read(path: Path) -> list[Phone]:
    """The phones of ``path``, pauses among them.

    Raises:
        DataError: missing, or a line that is not ``start end label``; names file and line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error})", "check the path") from None
    phones = []
    for number, line in enumerate(lines, 1):
        cells = line.split()
        if not cells:
            continue
        if len(cells) < 3 or not (cells[0].isdecimal() and cells[1].isdecimal()) or int(cells[0]) > int(cells[1]):
            raise DataError(f"{path}:{number}: expected `start end label`, found {line[:60]!r}", "mend the line")
        context = _CONTEXT.search(cells[2])
        symbol = context[0] if context else cells[2]
        phones.append(Phone(symbol, int(cells[0]) / _SECOND, int(cells[1]) / _SECOND))
    return phones


def is_silence(symbol: str) -> bool:
    """Whether ``symbol`` is a pause or a breath."""
    return symbol.startswith(SILENCES)
