"""GTZAN: a thousand clips of thirty seconds in ten genres (Tzanetakis and Cook 2002), with two splits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from onsei.audio import io
from onsei.data.corpora.corpus import Choice, Entry, Fault, Utterance, files_in, first_folders
from onsei.data.download import Remote
from onsei.data.row import Row
from onsei.data.strata import random_cut
from onsei.errors import AudioError, DataError

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
REPOSITORY = "marsyas/gtzan"
"""The Hub dataset that has the archive."""
_SEED, _HELD = 42, 0.1
_DAMAGED = "jazz.00054"
_PARTS = {"t": "train", "v": "val", "e": "test"}
_USABLE = 999


@dataclass(frozen=True)
class GTZAN:
    """GTZAN's clips, split.

    ``random`` is the split of Hugging Face's audio course: ``train_test_split(seed=42, shuffle=True, test_size=0.1)``
    of the 999 clips that can be read, by name. Recordings and artists stand on both sides of it. ``filtered`` is the
    fault-filtered, artist-aware split of Kereliuk, Sturm and Larsen (2015): 443, 197 and 290 clips.
    """

    split: Literal["random", "filtered"] = "random"
    title: str = "GTZAN"
    looked_for: str = "folders blues to rock with clips such as blues/blues.00000.wav"
    many: bool = False

    @property
    def parts(self) -> tuple[str, ...]:
        """Manifests of the chosen split."""
        return ("train", "test") if self.split == "random" else ("train", "val", "test")

    def remotes(self, choice: Choice) -> list[Remote]:
        """What ``choice.url`` names; else it comes from the Hub, see ``REPOSITORY``."""
        if not choice.url:
            raise DataError("no SOURCE", f"name an archive, a folder or a Hub dataset such as {REPOSITORY}")
        return [Remote(choice.url)]

    def roots(self, folder: Path, choice: Choice) -> list[Path]:
        """The folder of the genres."""
        return first_folders(folder, 4, _has_genres)[:1]

    def read(self, roots: list[Path], choice: Choice) -> Iterator[Entry]:
        """Clips in the order of the split. The one that is damaged in the copies that go about is named."""
        (root,) = roots
        clips: list[Path] = []
        for genre in GENRES:
            for path in files_in(root / genre):
                if path.suffix.lower() not in io.SUFFIXES:
                    continue
                if path.name.startswith(_DAMAGED) and not _is_sound(path):
                    yield Fault("audio", str(path), "damaged in the copies of GTZAN that go about; known, left out")
                elif _number(path) is None:
                    yield Fault("line", str(path), f"expected a name such as {genre}.00000.wav")
                else:
                    clips.append(path)
        yield from _random(clips) if self.split == "random" else _filtered(clips)


def _random(clips: list[Path]) -> Iterator[Entry]:
    # The course's list lacks the damaged clip, also where a copy has it whole.
    for path in [path for path in clips if path.name.startswith(_DAMAGED)]:
        yield Fault("audio", str(path), "can be read here, but is damaged in the course's copy: left out of its split")
        clips.remove(path)
    if len(clips) != _USABLE:
        print(f"note: the course's split is one of {_USABLE} clips, here are {len(clips)}: the parts will differ")
    for part, numbers in zip(("train", "test"), random_cut(len(clips), _HELD, _SEED), strict=True):
        yield from (_utterance(part, clips[number]) for number in numbers.tolist())


def _filtered(clips: list[Path]) -> Iterator[Entry]:
    lists = filtered_lists()
    for path in clips:
        number = _number(path)
        assert number is not None, "clips without a number were left out"
        letter = lists[path.parent.name][number]
        if letter in _PARTS:
            yield _utterance(_PARTS[letter], path)


@cache
def filtered_lists() -> dict[str, str]:
    """By genre a letter a clip, from 00000 on: t train, v validation, e test, - left out."""
    text = (files("onsei.data.corpora") / "gtzan_filtered.txt").read_text(encoding="utf-8")
    rows = [line.split() for line in text.splitlines() if not line.startswith("#")]
    return {row[0]: row[1] for row in rows}


def _utterance(part: str, path: Path) -> Utterance:
    return Utterance(part, Row(path.stem, path.absolute(), label=path.parent.name), str(path))


def _has_genres(folder: Path) -> bool:
    return sum((folder / genre).is_dir() for genre in GENRES) >= 2


def _number(path: Path) -> int | None:
    """N of ``GENRE.000NN.wav``, 0 to 99."""
    genre, _, digits = path.stem.partition(".")
    return int(digits) if genre == path.parent.name and digits.isdecimal() and int(digits) < 100 else None


def _is_sound(path: Path) -> bool:
    try:
        io.load(path, max_seconds=120.0)
    except AudioError:
        return False
    return True
