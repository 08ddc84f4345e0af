"""What is searched in: pictures of a folder or a manifest, with captions where they are known."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from onsei.data.manifest import Manifest
from onsei.errors import DataError
from onsei.vision import images


@dataclass(frozen=True)
class Gallery:
    """Pictures, each once, in order."""

    place: Path
    """The folder or manifest."""
    paths: tuple[Path, ...]
    captions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Texts below a picture, by its file name."""

    def captions_of(self, number: int) -> tuple[str, ...]:
        """Texts below picture ``number``; none where there are none."""
        return self.captions.get(self.paths[number].name, ())


def open_gallery(place: Path, captions: Path | None = None) -> Gallery:
    """The pictures of a folder and those below, or of a manifest's rows, whose texts are then captions too.

    Raises:
        DataError: there are none, or the captions cannot be read.
    """
    place = Path(place)
    known = read_captions(captions) if captions is not None else {}
    if place.is_dir():
        paths = tuple(images.files(place))
    else:
        rows = [row for row in Manifest.open(place) if row.image is not None]
        paths = tuple(dict.fromkeys(row.image for row in rows if row.image is not None))
        if not known:
            known = _gathered((row.image.name, row.text) for row in rows if row.image is not None and row.text)
    if not paths:
        raise DataError(f"{place}: no pictures in it", f"pictures are {', '.join(images.SUFFIXES)}")
    return Gallery(place, paths, known)


def read_captions(path: Path) -> dict[str, tuple[str, ...]]:
    """Captions by file name: of a manifest with ``image`` and ``text``, or of Flickr8k's ``image,caption`` lines.

    Raises:
        DataError: the file is neither, or has none.
    """
    path = Path(path)
    if path.suffix.lower() in (".jsonl", ".json"):
        found = _gathered((row.image.name, row.text) for row in Manifest.open(path) if row.image and row.text)
    else:
        found = _gathered(_lines(path))
    if not found:
        raise DataError(f"{path}: no captions in it", "give rows `image` and `text`, or lines `image,caption`")
    return found


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.reader(file):
                if len(row) >= 2 and Path(row[0].partition("#")[0]).suffix.lower() in images.SUFFIXES:
                    yield os.path.basename(row[0].partition("#")[0]), ",".join(row[1:]).strip()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as captions ({error})", "write lines `image,caption`") from None


def _gathered(pairs: Iterator[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for name, text in pairs:
        if text.strip():
            found.setdefault(name, []).append(text.strip())
    return {name: tuple(texts) for name, texts in found.items()}
