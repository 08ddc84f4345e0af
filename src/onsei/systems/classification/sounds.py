"""What `classify` is given, files, folders, addresses, standard input, as sounds one after another."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from onsei.audio import io
from onsei.data.download import Limits, fetched, is_address
from onsei.errors import AudioError, DataError

STANDARD_INPUT = "-"


class Given:
    """Sounds by the names that the user gave; folders are searched, by name, when they come up.

    Args:
        names: files, folders, addresses, or ``-``.
        limits: for what comes from an address or standard input.
    """

    def __init__(self, names: Sequence[str], limits: Limits) -> None:
        self.names = names
        self.limits = limits

    def check(self) -> None:
        """Refuse what can be refused before a model is opened.

        Raises:
            DataError: nothing is given, a folder without sounds, or standard input twice.
        """
        if not self.names:
            raise DataError("no sounds given", "onsei classification classify MODEL AUDIO…")
        if self.names.count(STANDARD_INPUT) > 1:
            raise DataError("standard input (-) is given twice", "give it once")
        for name in self.names:
            if _is_folder(name) and next(_sounds(Path(name)), None) is None:
                raise DataError(f"{name}: no sound in this folder", f"looked for {' '.join(sorted(io.SUFFIXES))}")

    def count(self) -> int:
        """How many sounds there are."""
        return sum(sum(1 for _ in _sounds(Path(name))) if _is_folder(name) else 1 for name in self.names)

    def __iter__(self) -> Iterator[str]:
        for name in self.names:
            if _is_folder(name):
                yield from (str(path) for path in _sounds(Path(name)))
            else:
                yield name

    @contextmanager
    def file(self, name: str) -> Iterator[Path]:
        """The file of a sound; what is not one here becomes a temporary one.

        Raises:
            AudioError: it cannot be had.
        """
        try:
            if name == STANDARD_INPUT:
                with _saved(sys.stdin.buffer, self.limits) as path:
                    yield path
            elif is_address(name):
                with fetched(name, self.limits) as path:
                    yield path
            else:
                yield Path(name)
        except DataError as error:
            raise AudioError(error.message, error.mend) from error


def is_here(name: str) -> bool:
    """Whether ``name`` is a file rather than an address or standard input."""
    return name != STANDARD_INPUT and not is_address(name)


def _is_folder(name: str) -> bool:
    return is_here(name) and os.path.isdir(name)


def _sounds(folder: Path) -> Iterator[Path]:
    """Sound files below ``folder``, by name; of a folder's own files and subfolders only the names are held."""
    for top, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            if Path(name).suffix.lower() in io.SUFFIXES and not name.startswith("."):
                yield Path(top) / name


@contextmanager
def _saved(stream: BinaryIO, limits: Limits) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile(prefix="onsei-") as file:
        shutil.copyfileobj(_Bounded(stream, limits.size), file)
        file.flush()
        if not file.tell():
            raise DataError("standard input: empty", "pipe a sound file into it")
        yield Path(file.name)


class _Bounded:
    """A stream that refuses to give more than so many bytes."""

    def __init__(self, stream: BinaryIO, most: int) -> None:
        self._stream, self._left, self._most = stream, most, most

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise DataError(f"standard input: more than {self._most / 2**20:.3g} MiB", "raise --max-megabytes")
        return data
