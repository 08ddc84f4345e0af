"""Manifests: lists of utterances, one JSON object a line, that stay cheap at ten million rows."""

from __future__ import annotations

import json
import math
import operator
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, SupportsIndex

from onsei.data.index import Durations, key_of, open_index
from onsei.data.row import PATHS, Phone, Row, TextFileError, from_csv, from_json, from_sample, split_reference
from onsei.data.samples import first_object
from onsei.errors import DataError, RunError
from onsei.paths import written_aside

__all__ = ["Manifest", "Phone", "Row", "write"]


class Manifest:
    """An open manifest. Rows are read from the file when asked for; what is kept in memory does not grow with them.

    JSONL with the keys of ``Row`` or NeMo's; deepspeech.pytorch's CSV (audio path, path of a text file, no header); or
    its JSON of 2022 (``root_path`` and ``samples``).
    Unpickling reopens the file: a worker process maps the index and copies nothing.
    """

    def __init__(self, path: Path, key: str | None = None) -> None:
        self.path = Path(os.path.abspath(path))
        self.folder = self.path.parent
        self._key = key_of(self.path)
        if key is not None and key != self._key:
            raise _changed(self.path)
        self._index = open_index(self.path, self._key)
        self._status = _status(self.path)

    @classmethod
    def open(cls, path: Path | str) -> Manifest:
        """Open ``path``; the first time, or after a change, its index is built in one pass over the file.

        Raises:
            DataError: the file is missing, empty, or neither JSONL nor CSV.
        """
        return cls(Path(path))

    def __len__(self) -> int:
        return self._index.facts.rows

    def __getitem__(self, number: SupportsIndex) -> Row:
        """Row ``number``, from 0.

        Raises:
            DataError: the line is not JSON or has ill-typed keys; names file and line.
            RunError: the file was changed since it was opened.
        """
        number = operator.index(number)
        number = number + len(self) if number < 0 else number
        try:
            return self.read(number, self.path.name)
        except DataError:
            return self.read(number, self.place(number))  # counting lines to name one takes a while: only when needed

    def read(self, number: int, place: str) -> Row:
        """Row ``number``, from 0, with ``place`` at the head of its errors, for those who count lines themselves."""
        facts = self._index.facts
        if facts.form == "samples":
            return from_sample(self.line(number), self.folder / facts.root, place)
        read = from_csv if facts.form == "csv" else from_json
        return read(self.line(number), self.folder, place)

    def __iter__(self) -> Iterator[Row]:
        return (self[number] for number in range(len(self)))

    def readable(self) -> Iterator[Row]:
        """All rows but those whose text file cannot be read, which training leaves out like broken sounds.

        Raises:
            DataError: as for one row.
        """
        for number in range(len(self)):
            with suppress(TextFileError):
                yield self[number]

    def line(self, number: int) -> bytes:
        """The bytes of row ``number``, from 0, as they stand in the file."""
        if not 0 <= number < len(self):
            raise IndexError(f"row {number} of {len(self)}")
        start, end = (int(place) for place in self._index.offsets[number : number + 2])
        with self.path.open("rb", buffering=0) as file:
            if _status(file.fileno()) != self._status:
                raise _changed(self.path)
            file.seek(start)
            line = _read(file, end - start)
        return first_object(line) if self._index.facts.form == "samples" else line.strip()

    def place(self, number: int) -> str:
        """``file:line`` of row ``number``; lines count from 1, blank ones too. For samples their number, from 1."""
        return f"{self.path}:{next(self.line_numbers(number))}"

    def line_numbers(self, first: int = 0) -> Iterator[int]:
        """Lines of the rows from ``first`` on, in one pass over the file; for samples their numbers, from 1."""
        if self._index.facts.form == "samples":
            yield from range(first + 1, len(self) + 1)
            return
        position, lines = 0, 1
        with self.path.open("rb") as file:
            for number in range(first, len(self)):
                start = int(self._index.offsets[number])
                while position < start and (part := file.read(min(start - position, 1 << 20))):
                    position += len(part)
                    lines += part.count(b"\n")
                yield lines

    @property
    def durations(self) -> Durations:
        """Seconds of each row as the manifest states them, memory-mapped float32; NaN where it does not."""
        return self._index.durations

    @property
    def fingerprint(self) -> str:
        """Hash of the file's bytes."""
        return self._index.facts.content

    def __reduce__(self) -> tuple[Any, ...]:
        return Manifest, (self.path, self._key)

    def __repr__(self) -> str:
        return f"Manifest({str(self.path)!r}, rows={len(self)})"


def write(path: Path | str, rows: Iterable[Row]) -> None:
    """Write ``rows`` as JSONL to ``path``, whole or not at all; paths are made relative to its folder.

    ``rows`` may be a generator: one row at a time is held. An older file is replaced.
    """
    target = Path(os.path.abspath(path))
    with written_aside(target) as aside, aside.open("wb") as file:
        folder = Path(os.path.realpath(target.parent))
        for row in rows:
            file.write(dump(row, folder) + b"\n")


def refuse_existing(paths: Iterable[Path], force: bool) -> None:
    """Raise a DataError that names the files among ``paths`` that exist, unless ``force``."""
    there = [str(path) for path in paths if path.exists()]
    if there and not force:
        raise DataError(f"{', '.join(there)}: exists already", "give --force to replace it, or name another output")


def dump(row: Row, folder: Path) -> bytes:
    """``row`` as a line of JSON, without its end; paths are made relative to ``folder``, a path without links."""
    values: dict[str, Any] = {"id": row.id}
    for name in Row.__dataclass_fields__:
        value = getattr(row, name)
        if value is None or name in ("id", "extra"):
            continue
        if name in PATHS:
            value = _relative(value, folder)
        elif name == "features":
            file, key = split_reference(value)
            value = _relative(Path(file), folder) + ("" if key is None else f"#{key}")
        elif name == "phones":
            value = [list(phone) if phone.start is not None else phone.symbol for phone in value]
        elif isinstance(value, float) and not math.isfinite(value):
            continue
        values[name] = value
    values |= row.extra
    try:
        return json.dumps(values, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # bytes of a file name that are not UTF-8 survive as escapes
        return json.dumps(values).encode()


def _relative(path: Path, folder: Path) -> str:
    """``path`` from ``folder``, with slashes; absolute where there is no way (another drive)."""
    # Links in the folders are followed, since `..` counts from where they lead; the file's own name is kept.
    real = Path(os.path.realpath(path.parent)) / path.name
    try:
        return Path(os.path.relpath(real, folder)).as_posix()
    except ValueError:
        return real.as_posix()


def _read(file: Any, size: int) -> bytes:
    parts = []
    while size > 0 and (part := file.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _status(file: Path | int) -> tuple[int, int]:
    status = os.stat(file)
    return status.st_size, status.st_mtime_ns


def _changed(path: Path) -> RunError:
    return RunError(f"{path}: the manifest was changed while it was in use", "start again; keep manifests as they are")
