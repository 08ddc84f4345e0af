"""What is wrong with a manifest: every line is read and every file opened once, and all faults are told."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onsei.data.digest import digest
from onsei.data.durations import SHOW_FROM, THREADS
from onsei.data.features import load_features
from onsei.data.headers import Header, Headers
from onsei.data.manifest import Manifest
from onsei.data.progress import progress
from onsei.data.row import Row
from onsei.errors import DataError, OnseiError

_CHUNK = 2048


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    line: int
    """In the manifest, from 1."""
    id: str
    """Empty where the line cannot be read."""
    kind: str
    """``line``, ``duplicate``, ``transcript``, ``missing``, ``empty``, ``audio``, ``duration``, ``features``."""
    message: str


@dataclass(frozen=True)
class Checked:
    """The outcome of ``check``."""

    rows: int
    files: int
    """Sound files opened."""
    faults: tuple[Finding, ...]
    """In the order of lines."""
    warnings: tuple[str, ...]

    @property
    def kinds(self) -> dict[str, int]:
        """How many faults of each kind."""
        return dict(Counter(fault.kind for fault in self.faults))


def check(
    manifest: Manifest,
    *,
    decode: bool = False,
    tolerance: float = 0.1,
    shortest: float | None = None,
    longest: float | None = None,
) -> Checked:
    """Read every line of ``manifest`` and open every file once, in parallel.

    Args:
        manifest: what to check.
        decode: decode the sound too, which finds NaN and damage behind the header; else headers are read.
        tolerance: seconds by which a duration in the manifest may differ from the header's.
        shortest: seconds; rows that last less are faults.
        longest: seconds; rows that last more are faults.
    """
    faults: list[Finding] = []
    hashes = array("Q")
    unknown = 0
    title = f"checking {manifest.path.name}"
    with ThreadPoolExecutor(THREADS) as pool, progress(title, len(manifest)) as advance:
        headers = Headers(pool, decode=decode)
        for rows in _chunks(manifest):
            found = _files_of(rows, headers, pool)
            for line, row in rows:
                if isinstance(row, Row):
                    told = [
                        *_of_texts(row),
                        *_of_files(row),
                        *_of_audio(row, found, tolerance),
                        *_of_features(row, found),
                        *_of_limits(row, found, shortest, longest),
                    ]
                    faults += [Finding(line, row.id, kind, message) for kind, message in told]
                    unknown += row.duration is None
                else:
                    faults.append(Finding(line, "", "line", row.message))
                hashes.append(digest(row.id) if isinstance(row, Row) else 0)
            advance(len(rows), len(manifest) > SHOW_FROM)
        warnings = headers.mixed()
    if unknown:
        mend = "`onsei data merge` writes them"
        warnings.append(f"{unknown} rows say no duration: their headers are read before each training; {mend}")
    faults += _duplicates(manifest, np.frombuffer(hashes, dtype=np.uint64))
    return Checked(len(manifest), headers.files, tuple(sorted(faults, key=lambda fault: fault.line)), tuple(warnings))


Found = Mapping[Path | str, Header | str]
"""What was found in a sound file (by path) or stored features (by reference; text: what is wrong)."""


def _chunks(manifest: Manifest) -> Iterator[list[tuple[int, Row | DataError]]]:
    """All rows or their errors, with their lines."""
    rows: list[tuple[int, Row | DataError]] = []
    for number, line in enumerate(manifest.line_numbers()):
        try:
            rows.append((line, manifest.read(number, f"{manifest.path.name}:{line}")))
        except DataError as error:
            rows.append((line, error))
        if len(rows) == _CHUNK:
            yield rows
            rows = []
    yield rows


def _files_of(rows: list[tuple[int, Row | DataError]], headers: Headers, pool: Executor) -> Found:
    good = [row for _, row in rows if isinstance(row, Row)]
    opened = headers.read(row.audio for row in good if row.audio and not _absent(row.audio))
    references = [row.features for row in good if row.features]
    found: dict[Path | str, Header | str] = dict(zip(references, pool.map(_stored, references), strict=True))
    for path, header in opened.items():
        found[path] = header
    return found


def _absent(path: Path) -> str:
    """``missing``, ``empty`` or nothing."""
    try:
        return "" if path.stat().st_size else "empty"
    except OSError:
        return "missing"


def _stored(reference: str) -> str:
    try:
        load_features(reference)
    except OnseiError as error:
        return error.message
    return ""


def _of_texts(row: Row) -> Iterator[tuple[str, str]]:
    if row.text is not None and not row.text.strip():
        yield "transcript", "the transcript is empty"
    if row.duration == 0:
        yield "duration", "the manifest says 0 s"


def _of_files(row: Row) -> Iterator[tuple[str, str]]:
    for path in (row.audio, row.image, row.video):
        if path is not None and (kind := _absent(path)):
            yield kind, f"{path}: {'no such file' if kind == 'missing' else 'empty file (0 bytes)'}"
    if not (row.audio or row.image or row.video or row.features):
        yield "missing", "names no audio, image, video or features"


def _of_audio(row: Row, found: Found, tolerance: float) -> Iterator[tuple[str, str]]:
    info = found.get(row.audio) if row.audio else None
    if isinstance(info, OnseiError):
        yield "audio", info.message
    if info is None or isinstance(info, OnseiError | str):
        return
    start = row.offset or 0.0
    end = info.duration if row.duration is None else start + row.duration
    if start >= info.duration or end > info.duration + tolerance:
        ends = f"the row goes from {start:.3f} s to {end:.3f} s" if row.offset else f"the manifest says {end:.3f} s"
        yield "duration", f"{row.audio}: {ends}, the file has {info.duration:.3f} s"
    elif row.offset is None and end < info.duration - tolerance:
        yield "duration", f"{row.audio}: the manifest says {end:.3f} s, the file has {info.duration:.3f} s"
    if row.channel is not None and row.channel >= info.channels:
        yield "audio", f"{row.audio}: channel {row.channel} asked for, the file has {info.channels} (from 0)"


def _of_limits(row: Row, found: Found, shortest: float | None, longest: float | None) -> Iterator[tuple[str, str]]:
    info = found.get(row.audio) if row.audio else None
    seconds = row.duration
    if seconds is None and info is not None and not isinstance(info, OnseiError | str):
        seconds = info.duration - (row.offset or 0.0)
    if seconds is not None and shortest is not None and seconds < shortest:
        yield "duration", f"lasts {seconds:.3f} s, shorter than {shortest:g} s"
    if seconds is not None and longest is not None and seconds > longest:
        yield "duration", f"lasts {seconds:.3f} s, longer than {longest:g} s"


def _of_features(row: Row, found: Found) -> Iterator[tuple[str, str]]:
    reason = found.get(row.features) if row.features else ""
    if isinstance(reason, str) and reason:
        yield "features", reason


def _duplicates(manifest: Manifest, hashes: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> list[Finding]:
    """Ids that stand twice, found by 8 bytes a row; only the rows in question are read again, to name them."""
    values, counts = np.unique(hashes[hashes > 0], return_counts=True)
    twice = np.isin(hashes, values[counts > 1])
    if not twice.any():
        return []
    first: dict[str, int] = {}
    faults = []
    for number, line in enumerate(manifest.line_numbers()):
        if twice[number]:
            name = manifest.read(number, f"{manifest.path.name}:{line}").id
            if name in first:
                faults.append(Finding(line, name, "duplicate", f"the id {name!r} stands in line {first[name]} already"))
            first.setdefault(name, line)
    return faults
