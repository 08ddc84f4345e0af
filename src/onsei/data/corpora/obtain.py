"""From what the user has, an archive, a folder or nothing, to the folders that hold the corpus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from onsei.data.corpora.corpus import Choice, Corpus, Fault, files_in
from onsei.data.download import Remote, download
from onsei.data.progress import progress
from onsei.data.unpack import SUFFIXES, ArchiveError, is_archive, unpack, unpacked
from onsei.errors import DataError

Item = TypeVar("Item", Remote, Path)

_AT_ONCE = 4
"""Downloads side by side where there are many small ones."""


@dataclass(frozen=True)
class Source:
    """Where a corpus comes from."""

    path: Path | None
    """An archive, a folder that holds the corpus or its archives, or the file of a list; None: download."""
    download_dir: Path
    """Folder for archives that are downloaded."""
    unpack_dir: Path
    """Folder that archives are unpacked to."""
    keep_archives: bool = True
    """False removes each downloaded archive after it has been unpacked. What the user brought always stays."""


@dataclass(frozen=True)
class Found:
    """The outcome of ``obtain``."""

    roots: list[Path]
    faults: list[Fault]
    """Archives among several that cannot be used."""


def obtain(corpus: Corpus, source: Source, choice: Choice) -> Found:
    """Download and unpack what has to be, and find the corpus.

    Raises:
        DataError: an archive cannot be had or unpacked (where there are several on disk, or thousands to download, this
            is a fault and the others go on); nothing is there that looks like the corpus: names what was looked for.
    """
    path = source.path
    faults: list[Fault] = []
    if path is None:
        folders, faults = _downloaded(corpus, source, choice)
    elif path.is_dir():
        folders = [path]
        if not corpus.roots(path, choice):
            archives = [file for file in files_in(path) if is_archive(file)]
            folders, faults = _gathered(_tried(lambda file: unpack(file, source.unpack_dir), archives))
    elif path.is_file():
        folders = [unpack(path, source.unpack_dir) if is_archive(path) else path]
    else:
        raise DataError(f"{path}: no such file or folder", "check the path; without one the corpus is downloaded")
    roots = [root for folder in folders for root in corpus.roots(folder, choice)]
    if not roots:
        reasons = "".join(f"\n  {fault.reason}" for fault in faults[:5])
        where = path or source.unpack_dir
        mend = f"name a folder that holds {corpus.looked_for}, or an archive of it ({' '.join(SUFFIXES)})"
        raise DataError(f"{where}: no {corpus.title} found: looked for {corpus.looked_for}{reasons}", mend)
    return Found(roots, faults)


def _downloaded(corpus: Corpus, source: Source, choice: Choice) -> tuple[list[Path], list[Fault]]:
    def fetch(remote: Remote) -> Path:
        there = unpacked(remote.name, source.unpack_dir)
        if there is not None:
            return there
        archive = download(remote, source.download_dir)
        try:
            folder = unpack(archive, source.unpack_dir)
        except ArchiveError:
            archive.unlink()  # or it would be taken for whole in the next call
            raise
        if not source.keep_archives:
            archive.unlink()
        return folder

    remotes = list(corpus.remotes(choice))
    what = f"{len(remotes)} archives" if len(remotes) > 1 else remotes[0].url
    print(f"{corpus.title}: {what} to {source.download_dir}, unpacked to {source.unpack_dir}")
    if not corpus.many:
        return [fetch(remote) for remote in remotes], []
    with ThreadPoolExecutor(_AT_ONCE) as pool, progress("sessions", len(remotes)) as advance:

        def counted(remote: Remote) -> Path:
            try:
                return fetch(remote)
            finally:
                advance(1, True)

        return _gathered(pool.map(lambda remote: _try(counted, remote), remotes))


def _try(work: Callable[[Item], Path], item: Item) -> Path | Fault:
    try:
        return work(item)
    except DataError as error:
        return Fault("archive", item.url if isinstance(item, Remote) else str(item), error.message)


def _tried(work: Callable[[Item], Path], items: Iterable[Item]) -> Iterator[Path | Fault]:
    return (_try(work, item) for item in items)


def _gathered(found: Iterable[Path | Fault]) -> tuple[list[Path], list[Fault]]:
    folders: list[Path] = []
    faults: list[Fault] = []
    for one in found:
        if isinstance(one, Fault):
            faults.append(one)
        else:
            folders.append(one)
    return folders, faults
