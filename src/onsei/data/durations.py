"""Durations of all rows, from the manifest or, where it does not say, from the headers of its files."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

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


def known_durations(manifest: Manifest) -> Durations:
    """Seconds of every row, for the sampler. The headers of files whose duration the manifest lacks are read, in
    parallel; each time anew, so that long manifests had better hold them (``onsei data merge`` writes them).

    Raises:
        DataError: rows without a duration whose file cannot be read; names the manifest and the first of them.
    """
    durations = manifest.durations
    unknown = np.flatnonzero(np.isnan(durations))
    if not len(unknown):
        return durations
    durations = np.array(durations)
    faults = []
    title = f"reading headers of {manifest.path.name}"
    with ThreadPoolExecutor(THREADS) as pool, progress(title, len(unknown)) as advance:
        for first in range(0, len(unknown), _CHUNK):
            numbers = unknown[first : first + _CHUNK].tolist()
            for number, found in zip(numbers, pool.map(lambda n: _seconds(manifest, n), numbers), strict=True):
                if isinstance(found, str):
                    faults.append(found)
                else:
                    durations[number] = found
            advance(len(numbers), len(unknown) > SHOW_FROM)
    if faults:
        listed = "\n".join(f"  {fault}" for fault in faults[:_TOLD])
        raise DataError(
            f"{manifest.path}: {len(faults)} rows have no duration and no file to read it from\n{listed}",
            f"`onsei data check {manifest.path}` lists all faults; mend or remove these rows",
        )
    return durations


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
