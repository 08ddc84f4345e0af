"""Durations of all rows, from the manifest or, where it does not say, from the headers of its files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from onsei.data.index import Durations
from onsei.data.manifest import Manifest
from onsei.data.progress import progress
from onsei.data.row import Row
from onsei.errors import DataError, OnseiError

THREADS = min(16, 4 * (os.cpu_count() or 1))
SHOW_FROM = 2_000
_CHUNK = 4096
_TOLD = 10


@dataclass(frozen=True)
class Measured:
    """Seconds of every row, as far as they can be known."""

    durations: Durations
    """NaN where neither the manifest nor a header tells."""
    faults: Mapping[int, str]
    """Why not, by row number."""

    def told(self, most: int = _TOLD) -> str:
        """The first faults, one a line, and how many more there are."""
        lines = [f"  {fault}" for fault in list(self.faults.values())[:most]]
        more = len(self.faults) - most
        return "\n".join([*lines, f"  … and {more} more"] if more > 0 else lines)


def measure(manifest: Manifest) -> Measured:
    """Seconds of every row. The headers of files whose duration the manifest lacks are read, in parallel; each time
    anew, so that long manifests had better hold them (``onsei data merge`` writes them)."""
    durations = manifest.durations
    unknown = np.flatnonzero(np.isnan(durations))
    if not len(unknown):
        return Measured(durations, {})
    durations = np.array(durations)
    faults: dict[int, str] = {}
    title = f"reading headers of {manifest.path.name}"
    with ThreadPoolExecutor(THREADS) as pool, progress(title, len(unknown)) as advance:
        for first in range(0, len(unknown), _CHUNK):
            numbers = unknown[first : first + _CHUNK].tolist()
            for number, found in zip(numbers, pool.map(lambda n: _seconds(manifest, n), numbers), strict=True):
                if isinstance(found, str):
                    faults[number] = found
                else:
                    durations[number] = found
            advance(len(numbers), len(unknown) > SHOW_FROM)
    return Measured(durations, faults)


def known_durations(manifest: Manifest) -> Durations:
    """Seconds of every row, for the sampler. A row whose file cannot be read counts 0 s: it comes up like the others,
    is found broken there, and is quarantined; how many there are is printed.

    Raises:
        DataError: there is no row whose duration is known; names the manifest and the first of them.
    """
    measured = measure(manifest)
    if not measured.faults:
        return measured.durations
    counted = f"{manifest.path}: {len(measured.faults)} of {len(manifest)} rows have no duration and no file to read"
    if len(measured.faults) == len(manifest):
        mend = f"`onsei data check {manifest.path}` lists all faults; mend or remove these rows"
        raise DataError(f"{counted} it from\n{measured.told()}", mend)
    print(f"{counted} it from; they will be quarantined\n{measured.told()}")
    return np.nan_to_num(measured.durations, nan=0.0)


def header_seconds(row: Row) -> float:
    """Seconds from the row's start to its end, or its file's end, by the header.

    Raises:
        OnseiError: the row names no audio, the file cannot be read, or the row starts behind its end.
    """
    from onsei.audio import io

    if row.audio is None:
        raise DataError(f"row {row.id}: neither duration nor audio", "give the row a `duration`")
    seconds = float(io.info(row.audio).duration) - (row.offset or 0.0)
    if seconds <= 0:
        raise DataError(f"{row.audio}: row {row.id} starts at {row.offset} s, behind the end", "mend the offset")
    return seconds


def _seconds(manifest: Manifest, number: int) -> float | str:
    try:
        return header_seconds(manifest[number])
    except OnseiError as error:
        return error.message
