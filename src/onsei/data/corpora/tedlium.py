"""TED-LIUM: English talks, releases 1 to 3 (Rousseau et al. 2012, Hernandez et al. 2018); segments of sph files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from onsei.data.corpora.corpus import UNKNOWN, Choice, Entry, Fault, Names, Utterance, files_in, first_folders
from onsei.data.corpora.lines import Line, read_lines
from onsei.data.download import Remote
from onsei.data.row import Row
from onsei.errors import DataError

_REMOTES = {  # checksums as in torchaudio's reader of the corpus
    "1": Remote(
        "https://www.openslr.org/resources/7/TEDLIUM_release1.tar.gz",
        "sha256:30301975fd8c5cac4040c261c0852f57cfa8adbbad2ce78e77e4986957445f27",
    ),
    "2": Remote(
        "https://www.openslr.org/resources/19/TEDLIUM_release2.tar.gz",
        "sha256:93281b5fcaaae5c88671c9d000b443cb3c7ea3499ad12010b3934ca41a7b9c58",
    ),
    "3": Remote(
        "https://www.openslr.org/resources/51/TEDLIUM_release-3.tgz",
        "sha256:ad1e454d14d1ad550bc2564c462d87c7a7ec83d4dc2b9210f22ab4973b9eccdb",
    ),
}
_PARTS = {"train": "train", "dev": "val", "test": "test"}
_IGNORED = "ignore_time_segment_in_scoring"
_UNKNOWN = re.compile(r"<unk>", re.IGNORECASE)
_MARKERS = re.compile(r"<[^<>]*>|\{[^{}]*\}|\[[^\[\]]*\]|\(\d+\)")
_APART = re.compile(r"(?<=\w) (?='(?:s|t|d|m|ll|ve|re)(?:\s|$))", re.IGNORECASE)
_ROUNDS = 1e-6


@dataclass(frozen=True)
class TEDLIUM:
    """Talks by ``stm`` files, whose lines are segments; each part has its official talks."""

    title: str = "TED-LIUM"
    looked_for: str = "folders train, dev and test (release 3: legacy/train …) that hold stm/ and sph/"
    parts: tuple[str, ...] = ("train", "val", "test")
    many: bool = False

    def remotes(self, choice: Choice) -> list[Remote]:
        """The archive of the chosen release, by default 2."""
        release = choice.release or "2"
        if release not in _REMOTES:
            raise DataError(f"--release {release}: TED-LIUM has none of that name", f"one of: {', '.join(_REMOTES)}")
        usual = _REMOTES[release]
        other = Remote(choice.url)
        return [replace(usual, url=other.url) if other.name == usual.name else other] if choice.url else [usual]

    def roots(self, folder: Path, choice: Choice) -> list[Path]:
        """The folder with the parts; of release 3 that of the official split."""
        found = first_folders(folder, 3, lambda path: any(files_in(path / part / "stm") for part in _PARTS))
        legacy = [path for path in found if path.name == "legacy"]
        return (legacy or found)[:1] or first_folders(folder, 3, lambda path: bool(files_in(path / "stm")))[:1]

    def read(self, roots: list[Path], choice: Choice) -> Iterator[Entry]:
        """Segments talk by talk."""
        (root,) = roots
        wanted = set(choice.subsets) or set(_PARTS)
        if unknown := wanted - set(_PARTS):
            raise DataError(f"--subsets: TED-LIUM has no {min(unknown)!r}", f"one of: {', '.join(_PARTS)}")
        if (root / "stm").is_dir():
            yield from _folder(root, "train")
            return
        for name, part in _PARTS.items():
            if name in wanted:
                yield from _folder(root / name, part)


def _folder(folder: Path, part: str) -> Iterator[Entry]:
    told = set()
    for path in files_in(folder / "stm"):
        if path.suffix == ".stm":
            told.add(path.stem)
            yield from _talk(path, part)
    for sound in files_in(folder / "sph"):
        if sound.suffix in (".sph", ".wav", ".flac") and sound.stem not in told:
            yield Fault("transcript", str(sound), "has no stm file")


def _talk(path: Path, part: str) -> Iterator[Entry]:
    names = Names()
    sounds: dict[str, Path] = {}
    for line in read_lines(path):
        if isinstance(line, Fault):
            yield line
        elif not line.text.startswith(";;"):
            found = _segment(line, path, part, sounds)
            if isinstance(found, Utterance) and not names.is_new(found.row.id):
                found = Fault("duplicate", line.place, f"{found.row.id} stands twice")
            if found is not None:
                yield found


def _segment(line: Line, path: Path, part: str, sounds: dict[str, Path]) -> Entry | None:
    """A line ``file channel speaker start end <labels> text``; None for what is not to be heard."""
    cells = line.text.split(None, 5)
    if len(cells) < 5:
        return Fault("line", line.place, f"expected `file channel speaker start end text`, found {line.text[:60]!r}")
    name, _, speaker, begin, end = cells[:5]
    text = cells[5] if len(cells) == 6 else ""
    if _IGNORED in text.lower():
        return None
    try:
        start, stop = float(begin), float(end)
    except ValueError:
        return Fault("line", line.place, f"expected seconds, found {begin!r} and {end!r}")
    if not 0 <= start < stop < 1e6:
        return Fault("segment", line.place, f"goes from {begin} s to {end} s")
    words = _APART.sub("", " ".join(_MARKERS.sub(" ", text).split()))
    if not words:
        return Fault("transcript", line.place, "the transcript is empty")
    if "/" in name or "\\" in name or name in ("..", "."):
        return Fault("line", line.place, f"expected the name of a sound file, found {name!r}")
    if name not in sounds:
        sounds[name] = _sound(path.parent.parent, name)
    seconds, unknown = round(stop - start + _ROUNDS, 3), len(_UNKNOWN.findall(text))
    row = Row(
        f"{name}-{round(start * 100):07d}-{round(stop * 100):07d}",
        sounds[name],
        duration=seconds,
        text=words,
        speaker=speaker,
        offset=start,
        extra={UNKNOWN: unknown} if unknown else {},
    )
    return Utterance(part, row, line.place)


def _sound(folder: Path, name: str) -> Path:
    """The file beside the stm folder; in release 3 all talks may lie in ``data/sph``."""
    places = [folder / "sph", folder, *(above / "data" / "sph" for above in folder.parents[:2])]
    paths = [place / f"{name}{ending}" for place in places for ending in (".sph", ".wav", ".flac")]
    return next((path for path in paths if path.is_file()), paths[0])
