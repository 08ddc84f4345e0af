"""Vectors of a gallery, kept in the model folder and made anew where model or pictures have changed.

G pictures, E size of the space.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from onsei.data.progress import progress
from onsei.errors import DataError, ModelError, OnseiError
from onsei.hub import weights
from onsei.systems.translation.ground.core import Core
from onsei.systems.translation.retrieve.gallery import Gallery

FOLDER = "image_index"
"""In the model folder; a file for each gallery."""
_BATCH = 64


@dataclass(frozen=True)
class Index:
    """Vectors of the pictures that could be read."""

    vectors: NDArray[np.float32]
    """(G, E), of length 1."""
    numbers: NDArray[np.int64]
    """Which picture of the gallery each is, (G,)."""
    note: str
    """Where the vectors come from, to be told."""
    unreadable: tuple[str, ...] = ()
    """What is wrong with those that could not be read."""

    def nearest(self, query: NDArray[np.float32], count: int) -> list[tuple[int, float]]:
        """Numbers of the ``count`` pictures that are nearest to a vector, (E,), and their cosines; nearest first."""
        scores = self.vectors @ query
        best = np.argsort(-scores, kind="stable")[:count]
        return [(int(self.numbers[n]), float(scores[n])) for n in best]


def open_index(core: Core, gallery: Gallery, *, refresh: bool = False) -> Index:
    """The index of a gallery: kept vectors of pictures that are as they were, new ones of all others.

    What cannot be written is told and does without: a model folder may be read-only.

    Raises:
        DataError: no picture can be read.
    """
    marks = [_mark(path) for path in gallery.paths]
    model = core.fingerprint()
    name = hashlib.blake2b(str(gallery.place.absolute()).encode(errors="surrogatepass"), digest_size=8).hexdigest()
    file = core.folder / FOLDER / f"{name}.safetensors"
    kept, why = ({}, "asked for anew") if refresh else _kept(file, model)
    needed = [n for n, mark in enumerate(marks) if mark not in kept]
    made, faults = _made(core, gallery, needed)
    found = {n: kept[mark] for n, mark in enumerate(marks) if mark in kept} | made
    if not found:
        raise DataError(f"{gallery.place}: no picture of {len(marks)} can be read; first: {faults[0]}", "mend them")
    numbers = sorted(found)
    vectors = np.stack([found[n] for n in numbers]).astype(np.float32)
    note = _told(len(numbers), len(made), why)
    if made or len(kept) != len(numbers):
        note += _written(file, model, [marks[n] for n in numbers], vectors, gallery)
    return Index(vectors, np.array(numbers, dtype=np.int64), note, tuple(faults))


def _kept(file: Path, model: str) -> tuple[dict[str, NDArray[np.float32]], str]:
    """Vectors by mark, and why there are none."""
    if not file.is_file():
        return {}, "there was none"
    try:
        about = weights.metadata(file)
        if about.get("model") != model:
            return {}, "the kept one is of another model"
        marks = json.loads(about["marks"])
        vectors = weights.load(file)["vectors"].numpy()
        return dict(zip(marks, vectors, strict=True)), ""
    except (ModelError, KeyError, ValueError):
        return {}, "the kept one is damaged"


def _made(core: Core, gallery: Gallery, numbers: list[int]) -> tuple[dict[int, NDArray[np.float32]], list[str]]:
    made: dict[int, NDArray[np.float32]] = {}
    faults: list[str] = []
    with progress("looking at pictures", len(numbers)) as advance:
        for first in range(0, len(numbers), _BATCH):
            seen = []
            for number in numbers[first : first + _BATCH]:
                try:
                    seen.append((number, core.seeing.transform.pixels(gallery.paths[number])))
                except DataError as error:
                    faults.append(error.message)
            if seen:
                vectors = core.see(torch.stack([pixels for _, pixels in seen]))
                made.update({number: vector for (number, _), vector in zip(seen, vectors, strict=True)})
            advance(len(numbers[first : first + _BATCH]), len(numbers) > 4 * _BATCH)
    return made, faults


def _written(file: Path, model: str, marks: list[str], vectors: NDArray[np.float32], gallery: Gallery) -> str:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        about = {"model": model, "marks": json.dumps(marks), "gallery": gallery.place.name}
        weights.save(file, {"vectors": torch.from_numpy(vectors)}, about)
    except (OnseiError, OSError) as error:
        return f"; not kept: {error.message if isinstance(error, OnseiError) else error.strerror}"
    return ""


def _told(total: int, made: int, why: str) -> str:
    if not made:
        return f"{total} pictures, index as kept"
    reason = f" ({why})" if why else ", the others are as kept"
    return f"{total} pictures, index of {made} made{reason}"


def _mark(path: Path) -> str:
    """What changes when a file does."""
    try:
        status = os.stat(path)
    except OSError:
        return f"{path.absolute()}|missing"
    return f"{path.absolute()}|{status.st_size}|{status.st_mtime_ns}"
