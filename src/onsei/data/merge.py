"""Joins manifests into one, sorted by duration, without rows that are too short or too long."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from onsei.data import provenance
from onsei.data.digest import digest
from onsei.data.durations import measure
from onsei.data.manifest import Manifest, Row, write
from onsei.data.row import TextFileError
from onsei.errors import DataError

_SUFFIXES = (".jsonl", ".csv", ".json")


@dataclass(frozen=True)
class Merged:
    """The outcome of ``merge``."""

    rows: int
    seconds: float
    short: int
    """Rows left out as shorter than the minimum."""
    long: int
    """Rows left out as longer than the maximum."""
    duplicates: tuple[str, ...]
    """Ids that stand more than once in what was written."""
    unreadable: tuple[str, ...] = ()
    """Why rows were left out: no duration and no file to read it from, or no text file."""


def between(
    durations: npt.NDArray[np.floating[Any]], shortest: float | None, longest: float | None
) -> npt.NDArray[np.int64]:
    """Numbers of the rows that last from ``shortest`` to ``longest`` seconds, both included; None: no limit."""
    low = -np.inf if shortest is None else np.float32(shortest)
    high = np.inf if longest is None else np.float32(longest)
    return np.flatnonzero((durations >= low) & (durations <= high))


def manifests_in(folder: Path) -> list[Path]:
    """The manifests (.jsonl, .csv, .json) in ``folder``, by name. DataError where there is none."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder", "check the path")
    found = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in _SUFFIXES and path.name != provenance.FILE and path.is_file()
    )
    if not found:
        raise DataError(f"{folder}: holds no manifest ({', '.join(_SUFFIXES)})", "name a folder of manifests")
    return found


def merge(
    paths: Sequence[Path], output: Path, *, shortest: float | None = None, longest: float | None = None
) -> Merged:
    """Write the rows of all manifests, shortest first, to ``output``; paths are made relative to its folder.

    Where a manifest says no duration the file's header is read and the duration written. ``shortest`` and ``longest``
    are in seconds. Ids that stand more than once are kept and told. Rows whose sound or text file cannot be read, where
    it has to be, are left out and told.

    Raises:
        DataError: a line of a manifest is ill written, or no row is left.
    """
    manifests = [Manifest.open(path) for path in paths]
    measured = [measure(manifest) for manifest in manifests]
    unreadable = [
        f"{m.path.name}: {fault}" for m, d in zip(manifests, measured, strict=True) for fault in d.faults.values()
    ]
    lengths = np.concatenate([m.durations for m in measured])
    kept = between(lengths, shortest, longest)
    if not len(kept):
        if len(unreadable) == len(lengths):
            raise DataError(f"{len(lengths)} rows, none can be read; first {unreadable[0]}", "mend the paths")
        limits = f"{shortest or 0:g} s to {'any length' if longest is None else f'{longest:g} s'}"
        raise DataError(f"{len(lengths)} rows, none from {limits}", "widen the limits on duration")
    order = kept[np.argsort(lengths[kept], kind="stable")]
    starts = np.cumsum([0, *map(len, manifests)])
    written, ids = array("Q"), array("Q")
    seconds = 0.0

    def row_at(place: int) -> Row:
        which = int(np.searchsorted(starts, place, side="right")) - 1
        return manifests[which][place - int(starts[which])]

    def rows() -> Iterator[Row]:
        nonlocal seconds
        for place in order.tolist():
            try:
                row = row_at(place)
            except TextFileError as error:
                unreadable.append(error.message)
                continue
            written.append(place)
            ids.append(digest(row.id))
            seconds += float(lengths[place])
            yield row if row.duration is not None else replace(row, duration=round(float(lengths[place]), 6))
        if not written:
            raise DataError(f"{len(order)} rows, none can be read; first {unreadable[0]}", "mend the paths")

    write(output, rows())
    return Merged(
        rows=len(written),
        seconds=seconds,
        short=int((lengths < np.float32(shortest)).sum()) if shortest is not None else 0,
        long=int((lengths > np.float32(longest)).sum()) if longest is not None else 0,
        duplicates=_twice(ids, lambda number: row_at(written[number]).id),
        unreadable=tuple(unreadable),
    )


def _twice(digests: array[int], name: Callable[[int], str]) -> tuple[str, ...]:
    """Names that stand more than once, by 8 bytes of a hash of each; only those in question are read again."""
    _, inverse, counts = np.unique(np.frombuffer(digests, np.uint64), return_inverse=True, return_counts=True)
    seen = Counter(name(number) for number in np.flatnonzero(counts[inverse] > 1).tolist())
    return tuple(found for found, count in seen.items() if count > 1)
