"""Lines of a corpus' text files; those that are not in its encoding are faults, and the others are read on."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from onsei.data.corpora.corpus import Fault

_LONGEST = 1 << 20


class Line(NamedTuple):
    """A line that is not blank."""

    place: str
    """``file:line``."""
    text: str
    """Without its end."""


def read_lines(path: Path, *, strip: bool = True) -> Iterator[Line | Fault]:
    """The lines of ``path``, UTF-8 or, where a mark at its beginning says so, UTF-16; ``strip`` takes spaces off.

    A line in another encoding, or of more than a megabyte, is a fault: to guess would put wrong letters into
    transcripts.
    """
    try:
        with path.open("rb") as file:
            wide = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
            file.seek(0)
            if wide:
                lines: Iterator[bytes] = iter(file.read().decode("utf-16").encode().splitlines())
            else:
                lines = iter(lambda: file.readline(_LONGEST), b"")
            for number, line in enumerate(lines, 1):
                place = f"{path}:{number}"
                if len(line) >= _LONGEST:
                    yield Fault("line", place, "a line of more than a megabyte")
                    return
                try:
                    text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
                except UnicodeDecodeError as error:
                    yield Fault("encoding", place, f"not UTF-8 ({error.reason}): {line.strip()[:60]!r}")
                    continue
                if text.strip():
                    yield Line(place, text.strip() if strip else text)
    except UnicodeDecodeError as error:
        yield Fault("encoding", str(path), f"not UTF-16 ({error.reason})")
    except OSError as error:
        yield Fault("missing", str(path), error.strerror or str(error))
