"""What a corpus is: where it can be had, and the utterances and faults that a walk through its folder finds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from onsei.data.digest import digest
from onsei.data.download import Remote
from onsei.data.row import Row
from onsei.errors import DataError

UNKNOWN = "unknown_words"
"""Key of rows: how many words of the sound nobody could write; their markers are left out of the text."""


class Fault(NamedTuple):
    """Something of a corpus that cannot be used; the rest goes on."""

    kind: str
    """``missing``, ``empty``, ``audio``, ``transcript``, ``segment``, ``encoding``, ``line``, ``duplicate``,
    ``speaker``, ``archive``, ``label``, ``duration``, ``silent``."""
    place: str
    """A file, or ``file:line``."""
    reason: str


class Utterance(NamedTuple):
    """A row of a corpus, not yet opened: its duration is known only where it is a segment."""

    part: str
    """``train``, ``val``, ``test`` or a name of the corpus' own such as ``test-clean``; ``val`` may be cut from
    ``train`` later."""
    row: Row
    place: str
    """Where the corpus lists it: a file, or ``file:line``."""
    sound: int = 0
    """Digest of the samples; 0 where they were not decoded."""


Entry = Utterance | Fault


@dataclass(frozen=True)
class Choice:
    """What is wanted of a corpus, and where files may be made that it lacks."""

    made: Path
    """Folder for sounds that have to be converted before they can be read."""
    subsets: tuple[str, ...] = ()
    """Names of subsets or lists; empty for the usual ones."""
    language: str = ""
    """Which language of a corpus of several."""
    release: str = ""
    """Which release is downloaded; empty for the usual one."""
    url: str = ""
    """Address of the archive, or of the folder or page of several, in place of the corpus' own."""


class Corpus(Protocol):
    """A reader of one corpus."""

    @property
    def title(self) -> str:
        """Its name in prose."""
        ...

    @property
    def looked_for(self) -> str:
        """What makes a folder this corpus, as a phrase."""
        ...

    @property
    def parts(self) -> tuple[str, ...]:
        """Manifests that it may give."""
        ...

    @property
    def many(self) -> bool:
        """Whether it comes as thousands of small archives, of which one that cannot be had is a fault."""
        ...

    def remotes(self, choice: Choice) -> Iterable[Remote]:
        """What to download. DataError where the corpus cannot be downloaded by a program."""
        ...

    def roots(self, folder: Path, choice: Choice) -> list[Path]:
        """The folders within ``folder``, or itself, that hold the corpus; none where it is not there."""
        ...

    def read(self, roots: list[Path], choice: Choice) -> Iterator[Entry]:
        """Utterances and faults, one after another, in an order that is the same at each call."""
        ...


class Names:
    """Knows which names came before: a hash of each is kept, some 70 bytes a name."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def is_new(self, name: str) -> bool:
        """Whether ``name`` comes for the first time."""
        before = len(self._seen)
        self._seen.add(digest(name))
        return len(self._seen) > before

    def __contains__(self, name: str) -> bool:
        return digest(name) in self._seen


def kind_of(path: Path) -> str:
    """The kind of fault that a sound file has which cannot be opened."""
    try:
        return "audio" if path.stat().st_size else "empty"
    except OSError:
        return "missing"


def folders(top: Path, depth: int) -> Iterator[Path]:
    """``top`` and the folders below it, by name, to ``depth`` levels; hidden ones are passed over."""
    yield top
    if depth:
        for path in sorted(_subfolders(top)):
            yield from folders(path, depth - 1)


def first_folders(top: Path, depth: int, fits: Callable[[Path], bool]) -> list[Path]:
    """The folders of ``folders`` for which ``fits``; what is below one of them is not looked at."""
    if not top.is_dir():
        return []
    if fits(top):
        return [top]
    below = sorted(_subfolders(top)) if depth else []
    return [found for path in below for found in first_folders(path, depth - 1, fits)]


def files_in(folder: Path) -> list[Path]:
    """The files of ``folder`` by name, hidden ones left out; none where it is not there."""
    try:
        with os.scandir(folder) as entries:
            found = [Path(entry.path) for entry in entries if entry.is_file() and not entry.name.startswith(".")]
    except OSError:
        return []
    return sorted(found)


def _subfolders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [Path(entry.path) for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror})", "check its permissions") from None
