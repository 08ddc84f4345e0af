"""Joins manifests into one, sorted by duration, without rows that are too short or too long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from onsei.data.durations import known_durations
from onsei.data.index import Durations
from onsei.data.manifest import Manifest, Row, write
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


def between(durations: Durations, shortest: float | None, longest: float | None) -> npt.NDArray[np.int64]:
    """Numbers of the rows that last from ``shortest`` to ``longest`` seconds, both included; None: no limit."""
    low = -np.inf if shortest is None else np.float32(shortest)
    high = np.inf if longest is None else np.float32(longest)
    return np.flatnonzero((durations >= low) & (durations <= high))


def manifests_in(folder: Path) -> list[Path]:
    """The manifests (.jsonl, .csv, .json) in ``folder``, by name. DataError where there is none."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder", "check the path")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and path.is_file())
    if not found:
        raise DataError(f"{folder}: holds no manifest ({', '.join(_SUFFIXES)})", "name a folder of manifests")
    return found


def merge(
    paths: Sequence[Path], output: Path, *, shortest: float | None = None, longest: float | None = None
) -> Merged:
    """Write the rows of all manifests, shortest first, to ``output``; paths are made relative to its folder.

    Where a manifest says no duration the file's header is read and the duration written. ``shortest`` and ``longest``
    are in seconds. Ids that stand more than once are kept and told.

    Raises:
        DataError: a manifest has faults, or no row is left.
    """
    manifests = [Manifest.open(path) for path in paths]
    seconds = [known_durations(manifest) for manifest in manifests]
    lengths = np.concatenate(seconds)
    kept = between(lengths, shortest, longest)
    if not len(kept):
        limits = f"{shortest or 0:g} s to {'any length' if longest is None else f'{longest:g} s'}"
        raise DataError(f"{len(lengths)} rows, none from {limits}", "widen the limits on duration")
    order = kept[np.argsort(lengths[kept], kind="stable")]
    starts = np.cumsum([0, *map(len, manifests)])
    ids: Counter[str] = Counter()

    def rows() -> Iterator[Row]:
        for place in order.tolist():
            which = int(np.searchsorted(starts, place, side="right")) - 1
            row = manifests[which][place - int(starts[which])]
            ids[row.id] += 1
            yield row if row.duration is not None else replace(row, duration=round(float(lengths[place]), 6))

    write(output, rows())
    return Merged(
        rows=len(order),
        seconds=float(lengths[order].sum(dtype=np.float64)),
        short=int((lengths < np.float32(shortest)).sum()) if shortest is not None else 0,
        long=int((lengths > np.float32(longest)).sum()) if longest is not None else 0,
        duplicates=tuple(name for name, count in ids.items() if count > 1),
    )
