"""Corpora of songs: where a song's sound and its words lie. The words are read later, see ``words``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from onsei.audio import io
from onsei.data import musicxml
from onsei.data.corpora import Choice, Entry, Fault, Utterance
from onsei.data.corpora.corpus import files_in, folders
from onsei.data.corpora.lines import read_lines
from onsei.data.corpora.recordings import apart
from onsei.data.download import Remote
from onsei.data.row import Row, from_mapping, resolve_path
from onsei.errors import DataError

SCORE, LABELS, TEXT = "score", "labels", "lyrics_file"
"""Keys of a row that say where its words are; they are gone from the manifest."""
RECORDING = "recording"
"""Key of the song that a row was cut from."""
_SUFFIXES = {".lab": LABELS, **dict.fromkeys(musicxml.SUFFIXES, SCORE), ".txt": TEXT}
"""What tells the words of a sound of the same name, the first one that is there."""
_TYPES = {"svs": "_svs", "romaji": "_romaji", "plain": ""}
_KEYS: dict[str, str] = {
    "idx": "id",
    "lyrics": "text",
    "audio_path": "audio",
    "wav": "audio",
    "prompt": "prompt_wav",
    "phones": "symbols",
}


@dataclass(frozen=True)
class JaCappella:
    """jaCappella (Nakamura et al. 2023): ``SUBSET/SONG/`` with a sound for each voice, and scores."""

    audio_type: str = "lead_vocal"
    musicxml_type: str = "svs"
    title: str = "jaCappella"
    parts: tuple[str, ...] = ("train",)
    many: bool = False

    @property
    def looked_for(self) -> str:
        """The files of a song."""
        return f"folders SUBSET/SONG with {self.audio_type}.wav and *{_TYPES[self.musicxml_type]}.musicxml"

    def remotes(self, choice: Choice) -> list[Remote]:
        """It lies on the Hub only."""
        raise DataError("no SOURCE", "name the folder of jaCappella, or leave out --no-download")

    def roots(self, folder: Path, choice: Choice) -> list[Path]:
        """The folder itself, if a song lies in it."""
        return [folder] if any(self._sound(path) for path in folders(folder, 4)) else []

    def read(self, roots: list[Path], choice: Choice) -> Iterator[Entry]:
        """Songs by subset and name."""
        for root in roots:
            for folder in folders(root, 4):
                scores = [path for path in files_in(folder) if path.suffix.lower() in musicxml.SUFFIXES]
                sound = self._sound(folder)
                if sound is None:
                    if scores:
                        yield Fault("missing", str(folder), f"has no {self.audio_type}.wav")
                    continue
                song = folder.relative_to(root).as_posix() if folder != root else folder.name
                chosen = [path for path in scores if _type_of(path) == self.musicxml_type]
                if len(chosen) != 1:
                    there = ", ".join(path.name for path in scores) or "no score at all"
                    reason = f"{len(chosen)} scores of --musicxml-type {self.musicxml_type}; there is {there}"
                    yield Fault("transcript", str(folder), reason)
                    continue
                extra = {SCORE: str(chosen[0]), RECORDING: song}
                row = Row(f"{song.replace('/', '-')}-{self.audio_type}", sound.absolute(), lang="ja", extra=extra)
                yield Utterance("train", row, str(folder))

    def _sound(self, folder: Path) -> Path | None:
        found = (folder / f"{self.audio_type}{suffix}" for suffix in (".wav", ".flac"))
        return next((path for path in found if path.is_file()), None)


def _type_of(path: Path) -> str:
    stem = path.stem.casefold()
    return next((name for name, ending in _TYPES.items() if ending and stem.endswith(ending)), "plain")


@dataclass(frozen=True)
class SongFolder:
    """Sounds of songs, each with a file of the same name that tells its words."""

    title: str = "songs"
    looked_for: str = f"sounds with {', '.join(_SUFFIXES)} of the same name beside them"
    parts: tuple[str, ...] = ("train",)
    many: bool = False

    def remotes(self, choice: Choice) -> list[Remote]:
        """There is nothing to download."""
        raise DataError("no SOURCE", "name the folder of the songs")

    def roots(self, folder: Path, choice: Choice) -> list[Path]:
        """The folder itself, if a sound lies in it or below."""
        return [folder] if folder.is_dir() and any(_sounds(path) for path in folders(folder, 8)) else []

    def read(self, roots: list[Path], choice: Choice) -> Iterator[Entry]:
        """Songs by name. One without words has none of the keys that say where they are."""
        for root in roots:
            sounds = [sound for folder in folders(root, 8) for sound in _sounds(folder)]
            for sound, name in zip(sounds, apart([path.stem for path in sounds]), strict=True):
                beside = ((sound.with_suffix(suffix), key) for suffix, key in _SUFFIXES.items())
                told = next(((path, key) for path, key in beside if path.is_file()), None)
                extra = {RECORDING: sound.relative_to(root).with_suffix("").as_posix()}
                if told is not None:
                    extra[told[1]] = str(told[0])
                yield Utterance("train", Row(name, sound.absolute(), extra=extra), str(sound))


@dataclass(frozen=True)
class SongList:
    """A JSONL file with a song a line."""

    title: str = "list of songs"
    looked_for: str = "a JSONL file with audio and lyrics in each line"
    parts: tuple[str, ...] = ("train",)
    many: bool = False

    def remotes(self, choice: Choice) -> list[Remote]:
        """There is nothing to download."""
        raise DataError("no SOURCE", "name the JSONL file")

    def roots(self, folder: Path, choice: Choice) -> list[Path]:
        """The file itself."""
        return [folder] if folder.is_file() else []

    def read(self, roots: list[Path], choice: Choice) -> Iterator[Entry]:
        """Songs line by line; one that cannot be read is a fault that names file and line."""
        (path,) = roots
        for line in read_lines(path):
            if isinstance(line, Fault):
                yield line
                continue
            try:
                row = _listed(line.text, path.parent, line.place)
            except DataError as error:
                yield Fault("line", line.place, error.message)
                continue
            if row.audio is None:
                yield Fault("line", line.place, "names no audio")
            else:
                song = row.extra.get(RECORDING) or row.audio.with_suffix("").as_posix()
                yield Utterance("train", replace(row, extra={**row.extra, RECORDING: str(song)}), line.place)


def _listed(line: str, folder: Path, place: str) -> Row:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: not JSON ({error})", "write one JSON object a line") from None
    if not isinstance(values, dict):
        raise DataError(f"{place}: expected an object, found {line[:40]!r}", "write one JSON object a line")
    named: dict[str, Any] = {}
    for key, value in values.items():  # phones with times, a list, are another key than a line of symbols
        named[str(key) if isinstance(value, list) else _KEYS.get(str(key), str(key))] = value
    if "id" in named:
        named["id"] = str(named["id"])
    for key in (SCORE, LABELS, TEXT, "prompt_wav"):
        if named.get(key) is None:
            named.pop(key, None)
        elif isinstance(named[key], str):
            named[key] = str(resolve_path(named[key], folder).absolute())
        else:
            raise DataError(f"{place}: {key}: expected a path, found {named[key]!r}", "mend the line")
    if "symbols" in named and not isinstance(named["symbols"], str):
        raise DataError(f"{place}: phones: expected symbols with spaces between", "mend the line")
    return from_mapping(named, folder.absolute(), place)


def _sounds(folder: Path) -> list[Path]:
    return [path for path in files_in(folder) if path.suffix.lower() in io.SUFFIXES]
