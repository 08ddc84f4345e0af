"""From what the user has, an archive, a folder or nothing, to the folders that hold the corpus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from onsei.audio.io import SUFFIXES as SOUNDS
from onsei.data.corpora.corpus import Choice, Corpus, Fault, files_in
from onsei.data.download import Remote, download
from onsei.data.progress import progress
from onsei.data.unpack import SUFFIXES, ArchiveError, is_archive, unpack, unpacked
from onsei.errors import DataError
from onsei.hub.datasets import dataset_files

Item = TypeVar("Item", Remote, Path)

_LISTS = (".csv", ".tsv", ".jsonl", ".json", ".txt", ".musicxml", ".mxl")
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
    repository: str = ""
    """A dataset of the Hub, ``user/name``, to download in place of what the corpus' publisher offers."""


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
    if path is None and source.repository:
        folders = from_hub(source)
    elif path is None:
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


def from_hub(source: Source) -> list[Path]:
    """The folders of a Hub dataset: its archives unpacked, or, where it has none, its sounds and lists.

    Code that lies in it stays on the Hub.

    Raises:
        ModelError: the Hub has no such dataset, or refuses it.
        DataError: there is neither archive nor sound in it, or a download fails.
    """
    files = dataset_files(source.repository)
    archives = [file for file in files if is_archive(Path(file.path))]
    sounds = [file for file in files if Path(file.path).suffix.lower() in SOUNDS]
    if not archives and not sounds:
        kinds = ", ".join(sorted({Path(file.path).suffix or file.path for file in files})[:12])
        found = f"dataset {source.repository!r}: neither archives nor sounds in it, but {kinds or 'nothing'}"
        raise DataError(found, f"name a dataset that has {' '.join(SUFFIXES)} or sound files, or a folder of sounds")
    wanted = archives or [*sounds, *(file for file in files if Path(file.path).suffix.lower() in _LISTS)]
    size = sum(file.size for file in wanted) / 2**20
    print(f"{source.repository}: {len(wanted)} files, {size:.0f} MiB, to {source.download_dir}")
    remotes = [Remote(file.url, f"sha256:{file.sha256}" if file.sha256 else "", file.token) for file in wanted]
    if archives:
        return [_unpacked(remote, source) for remote in remotes]
    top = source.unpack_dir / source.repository.replace("/", "--")
    with progress("files", len(wanted)) as advance:
        for one, file in zip(remotes, wanted, strict=True):
            download(one, top / Path(file.path).parent)
            advance(1, True)
    return [top]


def _unpacked(remote: Remote, source: Source) -> Path:
    """The folder of an archive somewhere else; it is fetched and unpacked only once."""
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


def _downloaded(corpus: Corpus, source: Source, choice: Choice) -> tuple[list[Path], list[Fault]]:
    remotes = list(corpus.remotes(choice))
    what = f"{len(remotes)} archives" if len(remotes) > 1 else remotes[0].url
    print(f"{corpus.title}: {what} to {source.download_dir}, unpacked to {source.unpack_dir}")
    if not corpus.many:
        return [_unpacked(remote, source) for remote in remotes], []
    with ThreadPoolExecutor(_AT_ONCE) as pool, progress("sessions", len(remotes)) as advance:

        def counted(remote: Remote) -> Path:
            try:
                return _unpacked(remote, source)
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
