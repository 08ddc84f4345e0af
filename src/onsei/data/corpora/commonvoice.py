"""Common Voice: sentences read by volunteers in many languages (Ardila et al. 2020); mp3. Version 1 and newer."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from onsei.data.corpora.corpus import Choice, Entry, Fault, Names, Utterance, files_in, first_folders
from onsei.data.corpora.lines import Line, read_lines
from onsei.data.download import Remote
from onsei.data.row import Row
from onsei.errors import DataError

_FIRST = "cv-valid-"
_USUAL = ("train", "dev", "test")
_PARTS = {"dev": "val", "test": "test"}


@dataclass(frozen=True)
class CommonVoice:
    """Official lists. A speaker of ``dev`` or ``test`` is left out of ``train``, whatever list that is made of."""

    title: str = "Common Voice"
    looked_for: str = "cv-valid-train.csv (version 1), or a language's train.tsv or validated.tsv beside clips/"
    parts: tuple[str, ...] = ("train", "val", "test")
    many: bool = False

    def remotes(self, choice: Choice) -> list[Remote]:
        """What ``choice.url`` names; none of its own: the publisher asks for consent first."""
        if choice.url:
            return [Remote(choice.url)]
        raise DataError(
            "Common Voice gives out its archives to people who agree to its terms, not to programs",
            "fetch the archive of a language at commonvoice.mozilla.org and name it as SOURCE, or give its --url",
        )

    def roots(self, folder: Path, choice: Choice) -> list[Path]:
        """The folder of version 1, or that of a language."""
        found = first_folders(folder, 3, lambda path: bool(_files(path)))
        if choice.language:
            wanted = choice.language.rstrip("/").rpartition("/")[2]
            known = sorted({path.name for path in found})
            found = [path for path in found if path.name == wanted]
            if known and not found:
                raise DataError(f"{folder}: holds no language {wanted!r}", f"one of: {', '.join(known)}")
        if len(found) > 1:
            languages = ", ".join(path.name for path in found[:20])
            raise DataError(f"{folder}: holds several languages ({languages})", "choose one with --language")
        return found

    def read(self, roots: list[Path], choice: Choice) -> Iterator[Entry]:
        """Utterances list by list; those of the training lists last."""
        (root,) = roots
        files = _files(root)
        lists = [_wanted(root, name, files) for name in choice.subsets] or [
            files[name] for name in (*_USUAL, *(() if "train" in files else ("validated",))) if name in files
        ]
        held, clips = Names(), Names()
        for path in sorted(lists, key=lambda path: _name(path) not in _PARTS):
            yield from _read(path, _PARTS.get(_name(path), "train"), held, clips)


def _name(path: Path) -> str:
    return path.stem.removeprefix(_FIRST)


def _files(folder: Path) -> dict[str, Path]:
    """Lists of utterances by their short names: ``train`` for train.tsv and cv-valid-train.csv."""
    files = files_in(folder)
    new = {path.stem: path for path in files if path.suffix == ".tsv"}
    if (folder / "clips").is_dir() and new.keys() & {*_USUAL, "validated"}:
        return new
    old = {_name(path): path for path in files if path.suffix == ".csv" and path.name.startswith("cv-")}
    return old if old.keys() & set(_USUAL) else {}


def _wanted(root: Path, name: str, files: dict[str, Path]) -> Path:
    found = files.get(_name(Path(name)))
    if found is None:
        raise DataError(f"{root}: holds no list {name!r}", f"--subsets: one of {', '.join(sorted(files))}")
    return found


def _read(path: Path, part: str, held: Names, clips: Names) -> Iterator[Entry]:
    new = path.suffix == ".tsv"
    lines = read_lines(path, strip=False)  # a cell at an end may be empty
    head = next((line for line in lines if isinstance(line, Line)), None)
    columns = _cells(head.text, new) if head else []
    sound, text = ("path", "sentence") if new else ("filename", "text")
    if not {sound, text} <= set(columns):
        yield Fault("line", str(path), f"expected a first line with {sound} and {text}, found {columns[:12]}")
        return
    for line in lines:
        if isinstance(line, Fault):
            yield line
            continue
        cells = _cells(line.text, new)
        if len(cells) != len(columns):
            yield Fault("line", line.place, f"expected {len(columns)} cells, found {len(cells)}")
            continue
        values = dict(zip(columns, cells, strict=True))
        yield _utterance(path, part, values[sound].strip(), values[text], values, line.place, held, clips)


def _cells(line: str, new: bool) -> list[str]:
    """Version 1 is CSV with quotes; later ones part by tabs, and quotes are letters."""
    try:
        return line.split("\t") if new else next(csv.reader([line], strict=True))
    except csv.Error:
        return []


def _utterance(
    path: Path, part: str, sound: str, text: str, values: dict[str, str], place: str, held: Names, clips: Names
) -> Entry:
    new = path.suffix == ".tsv"
    words = " ".join(_unquoted(text).split())
    speaker = values.get("client_id", "").strip() or None
    if not sound or Path(sound).is_absolute() or ".." in Path(sound).parts:
        return Fault("line", place, f"expected the path of a sound, found {sound!r}")
    audio = path.parent / ("clips" if new else "") / sound
    audio = audio if audio.suffix else audio.with_name(f"{audio.name}.mp3")
    name = audio.stem if new else sound.removesuffix(".mp3")
    if not words:
        return Fault("transcript", place, f"{sound}: the transcript is empty")
    if part == "train" and speaker and speaker in held:
        return Fault("speaker", place, f"{sound}: its speaker is one of dev or test")
    if not clips.is_new(name):
        return Fault("duplicate", place, f"{sound} is listed twice")
    if part != "train" and speaker:
        held.is_new(speaker)
    lang = values.get("locale", "").strip() or None
    return Utterance(part, Row(name, audio, text=words, speaker=speaker, lang=lang), place)


def _unquoted(text: str) -> str:
    """Without the quotes that a writer of CSV puts around a cell; quotes of the sentence stay."""
    inner = text[1:-1]
    if len(text) > 1 and text[0] == text[-1] == '"' and '"' not in inner.replace('""', ""):
        return inner.replace('""', '"')
    return text
