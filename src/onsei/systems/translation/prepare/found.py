"""What lies in folders: recordings, and the pictures and sentences of the same name."""

from __future__ import annotations

import csv
import hashlib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from onsei.audio import io
from onsei.data.corpora.recordings import apart
from onsei.data.manifest import Manifest
from onsei.data.progress import tracked
from onsei.data.row import Row
from onsei.errors import DataError, OnseiError
from onsei.systems.translation.data.gather import sounds_in
from onsei.vision import images


@dataclass
class Found:
    """Rows by what they are for, and what could not be used."""

    unlabeled: list[Row] = field(default_factory=list)
    pairs: list[Row] = field(default_factory=list)
    parallel: list[Row] = field(default_factory=list)
    faults: list[tuple[str, str, str]] = field(default_factory=list)
    """Kind, file and reason of each."""

    def fault(self, kind: str, place: Path | str, reason: str) -> None:
        """Note what cannot be used."""
        self.faults.append((kind, str(place), reason))


def recordings(folder: Path) -> list[Row]:
    """A row for each sound in ``folder`` and below; names are its stems, numbered where they stand twice."""
    sounds = sounds_in(folder)
    names = apart([path.stem for path in sounds])
    return [Row(name, path.absolute()) for path, name in zip(sounds, names, strict=True)]


def add_pairs(found: Found, audio: Path, pictures: Path) -> None:
    """Recordings and pictures of one stem; ``NAME_1.wav``, ``NAME-2.wav`` go with ``NAME.jpg`` where they have none."""
    there = {path.stem: path.absolute() for path in images.files(pictures)}
    used = set()
    for row in recordings(audio):
        name = _partner(_stem(row), there)
        if name is None:
            found.fault("picture", row.audio or "", f"no picture of this name in {pictures}")
            continue
        used.add(name)
        found.pairs.append(replace(row, image=there[name]))
    for name in sorted(there.keys() - used):
        found.fault("audio", there[name], f"no recording of this name in {audio}")


def add_parallel(found: Found, audio: Path, texts: Path) -> None:
    """Recordings and text files of one stem."""
    there = {path.stem: path for path in sorted(texts.rglob("*.txt")) if not path.name.startswith(".")}
    used = set()
    for row in recordings(audio):
        name = _partner(_stem(row), there)
        if name is None:
            found.fault("text", row.audio or "", f"no sentence of this name in {texts}")
            continue
        used.add(name)
        try:
            sentence = " ".join(there[name].read_text(encoding="utf-8-sig").split())
        except (OSError, UnicodeDecodeError) as error:
            found.fault("text", there[name], f"cannot be read as UTF-8: {error}")
            continue
        if not sentence:
            found.fault("text", there[name], "the sentence is empty")
            continue
        found.parallel.append(replace(row, text=sentence))
    for name in sorted(there.keys() - used):
        found.fault("audio", there[name], f"no recording of this name in {audio}")


def add_manifest(found: Found, path: Path) -> None:
    """Rows of a manifest: pairs where they have an image, parallel where a text, and all of them unlabeled."""
    manifest = Manifest.open(path)
    for number, line in enumerate(manifest.line_numbers()):
        try:
            row = manifest.read(number, f"{path}:{line}")
        except DataError as error:
            found.fault("line", f"{path}:{line}", error.message)
            continue
        if row.audio is None:
            found.fault("audio", f"{path}:{line}", "the row has no audio")
            continue
        found.unlabeled.append(row)
        if row.image is not None:
            found.pairs.append(row)
        if row.text is not None and not row.text.strip():
            found.fault("text", f"{path}:{line}", "the sentence is empty")
        elif row.text is not None:
            found.parallel.append(row)


def captions(path: Path) -> dict[str, list[str]]:
    """Captions by the stem of their picture, in the order of the list: Flickr8k's ``captions.txt`` (comma) or
    ``Flickr8k.token.txt`` (tab).

    Raises:
        DataError: there is no such list, or no caption in it.
    """
    found: dict[str, list[str]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for cells in _caption_lines(file):
                name, caption = cells[0].partition("#")[0].strip(), " ".join(cells[1].split())
                if caption and Path(name).suffix:
                    found.setdefault(Path(name).stem, []).append(caption)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error})", "name the list of captions, UTF-8 text") from None
    if not found:
        raise DataError(f"{path}: no line `picture.jpg,caption` in it", "name the list of captions")
    return found


def _caption_lines(file: Iterator[str]) -> Iterator[list[str]]:
    for line in file:
        if "\t" in line:
            cells = line.rstrip("\r\n").split("\t", 1)
        else:
            cells = next(csv.reader([line.rstrip("\r\n")]), [])
            cells = [cells[0], ",".join(cells[1:])] if len(cells) > 1 else []
        if len(cells) == 2 and cells != ["image", "caption"]:
            yield cells


def measured(found: Found, shortest: float, longest: float, *, check_images: bool) -> Found:
    """``found`` without recordings and pictures that cannot be read or are too short or long; each is opened once."""
    kept = Found(faults=list(found.faults))
    seconds: dict[Path, float | str] = {}
    pictures: dict[Path, str] = {}
    for kind in ("unlabeled", "pairs", "parallel"):
        rows: list[Row] = getattr(found, kind)
        for row in tracked(f"opening {kind}", rows):
            assert row.audio is not None
            if row.duration is None or row.audio not in seconds:
                seconds[row.audio] = _seconds(row)
            length = seconds[row.audio]
            if isinstance(length, str):
                _once(kept, "audio", row.audio, length)
                continue
            limit = longest if kind != "unlabeled" else float("inf")
            if not shortest <= length <= limit:
                _once(kept, "duration", row.audio, f"{length:.2f} s, expected {shortest:g} to {limit:g}")
                continue
            if kind == "pairs" and check_images and row.image is not None:
                if row.image not in pictures:
                    pictures[row.image] = _picture_fault(row.image)
                if pictures[row.image]:
                    _once(kept, "picture", row.image, pictures[row.image])
                    continue
            getattr(kept, kind).append(replace(row, duration=round(length, 4)))
    return kept


def keys_of(row: Row, digests: dict[Path, str]) -> Iterator[str]:
    """What a row must not share with one on another side: the picture's content, its sentence, its recording."""
    yield f"audio {row.audio}|{row.offset}"
    if row.image is not None:
        if row.image not in digests:
            digests[row.image] = hashlib.blake2b(row.image.read_bytes(), digest_size=16).hexdigest()
        yield f"image {digests[row.image]}"
    if row.text is not None:
        yield f"text {plain(row.text)}"


def plain(text: str) -> str:
    """A sentence as it is compared: small letters, without marks and accents' encodings."""
    letters = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(c if c.isalnum() or c.isspace() else " " for c in letters).split())


def _once(found: Found, kind: str, place: Path, reason: str) -> None:
    if (kind, str(place), reason) not in found.faults:
        found.fault(kind, place, reason)


def _seconds(row: Row) -> float | str:
    try:
        assert row.audio is not None
        header = io.info(row.audio)
    except OnseiError as error:
        return error.message
    offset, span = row.segment
    return header.duration - offset if span is None else span


def _picture_fault(path: Path) -> str:
    try:
        images.read(path)
    except OnseiError as error:
        return error.message
    return ""


def _stem(row: Row) -> str:
    assert row.audio is not None
    return row.audio.stem


def _partner(stem: str, there: Mapping[str, Path]) -> str | None:
    if stem in there:
        return stem
    for mark in ("_", "-"):
        head, _, tail = stem.rpartition(mark)
        if head in there and tail.isdigit():
            return head
    return None
