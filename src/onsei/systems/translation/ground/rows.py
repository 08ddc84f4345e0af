"""Encoded rows: manifests whose rows hold units, in every form that they come in."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onsei.data import manifest as manifests
from onsei.data.digest import digest
from onsei.data.index import Durations
from onsei.data.manifest import Manifest
from onsei.data.row import Row
from onsei.data.split import split
from onsei.errors import DataError
from onsei.paths import write_text

UNITS = "units"
"""Key of a row's units: a list of whole numbers from 0."""
COUNT = "num_clusters"
"""Key of the number of units there are, of a row or of ``encode.json`` beside the manifest."""
NAMES = ("pairs.jsonl", "manifest.jsonl", "units.jsonl", "multimodal_preprocessed.json")
"""What is looked for in a folder."""
ABOUT = "encode.json"


@dataclass(frozen=True)
class Encoded:
    """A manifest of units that was looked through once."""

    manifest: Manifest
    lengths: NDArray[np.float32]
    """Units of each row; 1 where it has none, so that it becomes a fault in its turn."""
    count: int
    """Number of units there are: as stated, else the highest one plus 1."""
    stated: bool
    """Whether the manifest or the file beside it states it."""
    about: Mapping[str, Any]
    """What ``encode`` wrote of the model beside it; empty where it did not."""
    lacking: Mapping[str, int]
    """How many rows lack ``units``, ``image`` or ``text``."""


def open_encoded(path: Path, *, image_dir: Path | None = None, aside: Path | None = None) -> Encoded:
    """Open encoded rows: a JSONL manifest, the folder of one, or the original's JSON list of image paths and units.

    Args:
        image_dir: folder of pictures that are named without one.
        aside: folder in which a list is written as a manifest.

    Raises:
        DataError: there is none, no row has units, or units are not whole numbers from 0.
    """
    path = _found(Path(path))
    if path.suffix == ".json":
        path = _turned(path, image_dir, aside or path.parent)
    manifest = Manifest.open(path)
    lacking: Counter[str] = Counter()
    lengths, highest = np.ones(len(manifest), dtype=np.float32), -1
    about = about_of(path)
    stated = int(about.get(COUNT, 0) or 0)
    for number in range(len(manifest)):
        row = manifest[number]
        lacking.update(name for name in ("image", "text") if getattr(row, name) is None)
        if UNITS not in row.extra:
            lacking[UNITS] += 1
            continue
        units = units_of(row, place=lambda n=number: manifest.place(n))
        lengths[number] = max(1, len(units))
        highest = max(highest, int(units.max(initial=-1)))
        stated = stated or int(row.extra.get(COUNT, 0) or 0)
    if highest < 0:
        raise DataError(f"{path}: no row has units", "make them with `onsei translation encode`")
    if stated and highest >= stated:
        raise DataError(f"{path}: unit {highest}, where there are {stated}", "encode all rows with the same model")
    return Encoded(manifest, lengths, stated or highest + 1, bool(stated), about, lacking)


def units_of(row: Row, place: Any = None) -> NDArray[np.int64]:
    """Units of a row, (U,).

    Raises:
        DataError: it has none, or they are not whole numbers from 0.
    """
    name = place() if place is not None and UNITS in row.extra and not _whole(row.extra[UNITS]) else row.id
    if UNITS not in row.extra:
        raise DataError(f"{row.id}: the row has no units", "make them with `onsei translation encode`")
    if not _whole(row.extra[UNITS]):
        found = json.dumps(row.extra[UNITS])[:60]
        raise DataError(
            f"{name}: units: expected a list of whole numbers from 0, found {found}", "encode this row anew"
        )
    return np.asarray(row.extra[UNITS], dtype=np.int64)


def check_fit(encoded: Encoded, count: int, what: str) -> None:
    """Check that the units are those of a model that has ``count`` of them.

    Raises:
        DataError: there are more.
    """
    if (encoded.stated and encoded.count != count) or encoded.count > count:
        raise DataError(
            f"{encoded.manifest.path}: units of {encoded.count}, {what} has {count}",
            "encode these rows with the acoustic model that it was trained with",
        )


def part_off(encoded: Encoded, share: float, folder: Path, *, by: str | None, seed: int) -> tuple[Encoded, Encoded]:
    """Cut into training and validation, written as manifests in ``folder``; rows alike in ``by`` stay together.

    Raises:
        DataError: too few rows to cut.
    """
    parts = split(encoded.manifest, share, seed=seed, by=by)
    mark = f"{digest(f'{encoded.manifest.fingerprint}/{share}/{seed}/{by}'):016x}"
    made = []
    for name in ("train", "val"):
        rows = parts[name]
        path = folder / "encoded" / f"{name}-{mark}.jsonl"
        if not path.exists():  # others may be reading it
            manifests.write(path, (encoded.manifest[int(number)] for number in rows))
        made.append(replace(encoded, manifest=Manifest.open(path), lengths=encoded.lengths[rows]))
    return made[0], made[1]


def as_durations(encoded: Encoded, most: int) -> Durations:
    """Lengths in units for the sampler, at most ``most``."""
    return np.minimum(encoded.lengths, np.float32(most))


def shared(first: Manifest, second: Manifest, key: str) -> list[str]:
    """Values of ``key`` (a path or a name) that both have, in the order of the second."""
    here = {_value(row, key) for row in first}
    both = [value for row in second if (value := _value(row, key)) is not None and value in here]
    return list(dict.fromkeys(both))


def _value(row: Row, key: str) -> str | None:
    value = getattr(row, key)
    return os.path.realpath(value) if isinstance(value, Path) else value


def _whole(units: Any) -> bool:
    return isinstance(units, list) and all(type(unit) is int and unit >= 0 for unit in units)


def _found(path: Path) -> Path:
    if not path.is_dir():
        return path if path.exists() or not path.with_suffix(".json").is_file() else path.with_suffix(".json")
    there = [path / name for name in NAMES if (path / name).is_file()]
    there += [file for file in (path.with_suffix(".json"),) if file.is_file()]
    single = sorted(path.glob("*.jsonl"))
    if not there and len(single) == 1:
        there = single
    if not there:
        raise DataError(f"{path}: none of {', '.join(NAMES)} in it", "name the manifest that `encode` wrote")
    return there[0]


def about_of(path: Path) -> Mapping[str, Any]:
    """What ``encode`` wrote of the model beside a manifest; empty where it did not."""
    try:
        found = json.loads((path.parent / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _turned(path: Path, image_dir: Path | None, folder: Path) -> Path:
    """The original's ``multimodal_preprocessed.json``, ``[{"image_path": …, "units": […]}]``, as a manifest."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not readable as JSON ({error})", "name the file that the original wrote") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "image_path" in row for row in rows):
        raise DataError(f'{path}: expected a list of {{"image_path": …, "units": […]}}', "make it with `encode`")
    lines = []
    for number, row in enumerate(rows):
        image = Path(str(row["image_path"]))
        places = [image, path.parent / image, *([image_dir / image.name] if image_dir else [])]
        chosen = next((place for place in places if place.exists()), places[-1])
        rest = {key: value for key, value in row.items() if key != "image_path"}
        lines.append(json.dumps({"id": f"{number:06}-{image.stem}", **rest, "image": str(chosen.absolute())}))
    target = folder / f"{path.stem}.jsonl"
    write_text(target, "\n".join(lines) + "\n")
    return target
