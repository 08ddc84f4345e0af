"""Labeled sounds of one's own: a folder with a subfolder a class, or a list with a label a line."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from onsei.audio import io
from onsei.data.corpora.corpus import Choice, Entry, Fault, Utterance, files_in, folders
from onsei.data.corpora.lines import Line, read_lines
from onsei.data.corpora.recordings import apart
from onsei.data.download import Remote
from onsei.data.row import Row, resolve_path
from onsei.errors import ConfigError, DataError

ALL = "all"
"""The part of rows of which nothing says where they belong."""
PARTS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test", "eval": "test",
}  # fmt: skip
"""What parts are called in folders and lists."""
_NAMES = {
    "path": "path", "audio": "path", "file": "path", "filename": "path", "file_name": "path", "audio_filepath": "path",
    "label": "label", "class": "label", "category": "label", "genre": "label",
    "split": "split", "part": "split", "subset": "split",
    "fold": "fold", "speaker": "speaker", "recording": "recording", "artist": "artist",
}  # fmt: skip
"""Columns of a list, and what they are here."""


@dataclass(frozen=True)
class ClassFolder:
    """Sounds in a subfolder a class; or those in folders ``train``, ``val`` and ``test``."""

    recording: str = ""
    """Regular expression for paths within the folder, whose first group is the recording that a clip was cut from."""
    speaker: str = ""
    """Likewise, who speaks."""
    title: str = "folder of classes"
    looked_for: str = "a subfolder of sounds for each class, or such in train/, val/ and test/"
    parts: tuple[str, ...] = (ALL, "train", "val", "test")
    many: bool = False

    def remotes(self, choice: Choice) -> list[Remote]:
        """What ``choice.url`` names."""
        if not choice.url:
            raise DataError("no SOURCE", "name the folder of the classes, or an archive of it, or a Hub dataset")
        return [Remote(choice.url)]

    def roots(self, folder: Path, choice: Choice) -> list[Path]:
        """The folder whose subfolders hold sounds; an archive may have one folder around them."""
        if not folder.is_dir():
            return []
        tops = [folder]
        while len(inner := _subfolders(tops[-1])) == 1 and not _sounds(inner[0]):
            tops.append(inner[0])
        return [tops[-1]] if any(_sounds(path) for path in folders(tops[-1], 3) if path != tops[-1]) else []

    def read(self, roots: list[Path], choice: Choice) -> Iterator[Entry]:
        """Clips class by class, by name. Sounds beside the classes are faults."""
        (root,) = roots
        patterns = {"recording": _pattern("recording", self.recording), "speaker": _pattern("speaker", self.speaker)}
        tops = _subfolders(root)
        parted = bool(tops) and all(path.name.lower() in PARTS for path in tops)
        sounds: list[tuple[str, str, Path]] = []
        for top in tops if parted else [root]:
            part = PARTS[top.name.lower()] if parted else ALL
            for path in _sounds(top):
                yield Fault("label", str(path), "lies beside the classes, in none of them")
            for label in _subfolders(top):
                found = [path for inner in folders(label, 8) for path in _sounds(inner)]
                sounds += [(part, label.name, path) for path in found]
        names = apart([sound.stem for _, _, sound in sounds])
        for (part, name, path), unique in zip(sounds, names, strict=True):
            told = path.relative_to(root).as_posix()
            values = {key: match[1] for key, pattern in patterns.items() if pattern and (match := pattern.search(told))}
            missing = [key for key, pattern in patterns.items() if pattern and not values.get(key)]
            if missing:
                yield Fault("line", str(path), f"--{missing[0]} does not fit this path")
                continue
            extra = {"recording": values["recording"]} if "recording" in values else {}
            row = Row(unique, path.absolute(), label=name, speaker=values.get("speaker"), extra=extra)
            yield Utterance(part, row, str(path))


@dataclass(frozen=True)
class ClassList:
    """A CSV or TSV file with a first line that names its columns: path and label, and, if known, split, fold, speaker,
    recording, artist; others are kept as they are. Paths are relative to the file."""

    title: str = "list"
    looked_for: str = "a CSV file whose first line names the columns path and label"
    parts: tuple[str, ...] = (ALL, "train", "val", "test")
    many: bool = False

    def remotes(self, choice: Choice) -> list[Remote]:
        """There is nothing to download."""
        raise DataError("no SOURCE", "name the CSV file")

    def roots(self, folder: Path, choice: Choice) -> list[Path]:
        """The file itself, or the only list in the folder."""
        if folder.is_file():
            return [folder]
        lists = [path for path in files_in(folder) if path.suffix.lower() in (".csv", ".tsv")]
        return lists if len(lists) == 1 else []

    def read(self, roots: list[Path], choice: Choice) -> Iterator[Entry]:
        """Clips line by line."""
        (path,) = roots
        lines = read_lines(path, strip=False)
        head = next((line for line in lines if isinstance(line, Line)), None)
        mark = "\t" if head and "\t" in head.text else ","
        columns = [_column(cell) for cell in _cells(head.text, mark)] if head else []
        doubled = [name for name in set(columns) if name and columns.count(name) > 1]
        if not {"path", "label"} <= set(columns) or doubled:
            found = f"{doubled[0]} twice" if doubled else f"{columns[:12]}"
            raise DataError(f"{path}: expected a first line with path and label, found {found}", "name the columns")
        number = 0
        for line in lines:
            if isinstance(line, Fault):
                yield line
                continue
            cells = _cells(line.text, mark)
            if len(cells) != len(columns):
                yield Fault("line", line.place, f"expected {len(columns)} cells, found {len(cells)}")
                continue
            number += 1
            values = {name: cell.strip() for name, cell in zip(columns, cells, strict=True) if name and cell.strip()}
            yield _listed(values, path.parent, number, line.place)


def _listed(values: dict[str, str], folder: Path, number: int, place: str) -> Entry:
    if "path" not in values:
        return Fault("line", place, "names no sound")
    if "label" not in values:
        return Fault("label", place, f"{values['path']}: has no label")
    split = values.pop("split", "")
    part = PARTS.get(split.lower()) if split else ALL
    if part is None:
        return Fault("line", place, f"split: expected train, val or test, found {split[:40]!r}")
    fold = values.pop("fold", "")
    if fold and not fold.isdecimal():
        return Fault("line", place, f"fold: expected a whole number, found {fold[:40]!r}")
    audio = resolve_path(values.pop("path"), folder).absolute()
    label, speaker = values.pop("label"), values.pop("speaker", None)
    extra = {**values, **({"fold": int(fold)} if fold else {})}
    return Utterance(part, Row(f"{audio.stem}-{number}", audio, label=label, speaker=speaker, extra=extra), place)


def _column(cell: str) -> str:
    name = cell.strip().lower()
    return _NAMES.get(name, "" if name in ("id", "duration", "offset", "text") else name)


def _cells(line: str, mark: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=mark, strict=True))
    except csv.Error:
        return []


def _pattern(name: str, text: str) -> re.Pattern[str] | None:
    if not text:
        return None
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise ConfigError(f"--{name} {text}: not a regular expression ({error})", r"e.g. '([^/]+)_\d+\.wav$'") from None
    if not pattern.groups:
        raise ConfigError(f"--{name} {text}: has no group", r"put what tells it in brackets: '([^/]+)_\d+\.wav$'")
    return pattern


def _subfolders(folder: Path) -> list[Path]:
    return [path for path in folders(folder, 1) if path != folder]


def _sounds(folder: Path) -> Sequence[Path]:
    return [path for path in files_in(folder) if path.suffix.lower() in io.SUFFIXES]
