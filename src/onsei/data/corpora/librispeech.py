"""LibriSpeech: English audio books, 960 hours in seven subsets (Panayotov et al. 2015); flac."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from onsei.data.corpora.corpus import Choice, Entry, Fault, Names, Utterance, files_in, first_folders, folders
from onsei.data.corpora.lines import read_lines
from onsei.data.download import Remote
from onsei.data.row import Row
from onsei.errors import DataError

_ADDRESS = "https://www.openslr.org/resources/12"
_DIGESTS = {  # of md5sum.txt at that address
    "train-clean-100": "2a93770f6d5c6c964bc36631d331a522",
    "train-clean-360": "c0e676e450a7ff2f54aeade5171606fa",
    "train-other-500": "d1a0fd59409feb2c614ce4d30c387708",
    "dev-clean": "42e2234ba48799c1f50f24a7926300a1",
    "dev-other": "c8d0bcc9cca99d4f8b62fcc847357931",
    "test-clean": "32fa31d27d2e1cad72775fee3f4849a9",
    "test-other": "fb5a50374b501bb3bac4815ee91d3135",
}
_SUBSET = re.compile(r"(train|dev|test)-(clean|other)(-\d+)?")
_SOUNDS = (".flac", ".wav")


@dataclass(frozen=True)
class LibriSpeech:
    """Training subsets make ``train``, both dev subsets ``val``; the two tests stay apart."""

    title: str = "LibriSpeech"
    looked_for: str = "folders such as train-clean-100 or dev-clean with SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt"
    parts: tuple[str, ...] = ("train", "val", "test-clean", "test-other")
    many: bool = False

    def remotes(self, choice: Choice) -> list[Remote]:
        """One archive a subset, with its publisher's checksum."""
        names = [_plain(name) for name in choice.subsets] or list(_DIGESTS)
        unknown = [name for name in names if name not in _DIGESTS]
        if unknown:
            raise DataError(f"--subsets: LibriSpeech has no {unknown[0]!r}", f"one of: {', '.join(_DIGESTS)}")
        address = choice.url.rstrip("/") or _ADDRESS
        return [Remote(f"{address}/{name}.tar.gz", f"md5:{_DIGESTS[name]}") for name in names]

    def roots(self, folder: Path, choice: Choice) -> list[Path]:
        """The folders of the subsets."""
        found = first_folders(folder, 3, lambda path: bool(_SUBSET.fullmatch(path.name)) and _has_transcripts(path))
        wanted = {_plain(name) for name in choice.subsets}
        return [path for path in found if not wanted or path.name in wanted]

    def read(self, roots: list[Path], choice: Choice) -> Iterator[Entry]:
        """Utterances chapter by chapter. DataError where a chosen subset is not there."""
        missing = {_plain(name) for name in choice.subsets} - {root.name for root in roots}
        if missing:
            raise DataError(f"{roots[0].parent}: holds no {', '.join(sorted(missing))}", "check --subsets")
        for root in roots:
            part = root.name.removesuffix("-2") if root.name.startswith("test") else root.name.partition("-")[0]
            for chapter in folders(root, 2):
                if chapter.parent.parent == root:
                    yield from _chapter(chapter, {"dev": "val"}.get(part, part), root.name)


def _plain(name: str) -> str:
    return name.removesuffix(".tar.gz")


def _has_transcripts(folder: Path) -> bool:
    return any(path.name.endswith(".trans.txt") for chapter in folders(folder, 2) for path in files_in(chapter))


def _chapter(chapter: Path, part: str, subset: str) -> Iterator[Entry]:
    names, told = Names(), set()
    files = files_in(chapter)
    for path in files:
        if not path.name.endswith(".trans.txt"):
            continue
        for line in read_lines(path):
            if isinstance(line, Fault):
                yield line
                continue
            name, _, text = line.text.partition(" ")
            told.add(name)
            sounds = [chapter / f"{name}{ending}" for ending in _SOUNDS]
            sound = next((path for path in sounds if path in files), sounds[0])
            if "/" in name or "\\" in name:
                yield Fault("line", line.place, f"expected `id TEXT`, found {line.text[:60]!r}")
            elif not names.is_new(name):
                yield Fault("duplicate", line.place, f"the transcript of {name} stands twice")
            elif not text.strip():
                yield Fault("transcript", line.place, f"{name}: its transcript is empty")
            else:
                row = Row(name, sound, text=text.strip(), speaker=chapter.parent.name, extra={"subset": subset})
                yield Utterance(part, row, line.place)
    for path in files:
        if path.suffix in _SOUNDS and path.stem not in told:
            yield Fault("transcript", str(path), "has no transcript")
