"""What a manifest holds: rows, hours, lengths, characters, speakers, sample rates and channels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from onsei.data.durations import SHOW_FROM, THREADS
from onsei.data.headers import Headers
from onsei.data.manifest import Manifest
from onsei.data.merge import between
from onsei.data.progress import progress
from onsei.data.row import Row
from onsei.errors import OnseiError

_CHUNK = 2048
_BINS = 10
Limits = tuple[float | None, float | None]


@dataclass
class Stats:
    """Counts over a manifest. Lengths are of the rows whose duration is known."""

    rows: int = 0
    seconds: float = 0.0
    shortest: float = float("nan")
    """Seconds."""
    longest: float = float("nan")
    """Seconds."""
    unknown_durations: int = 0
    outside: int = 0
    """Rows left out as shorter or longer than the limits, or of unknown length where there are limits."""
    histogram: list[tuple[float, float, int]] = field(default_factory=list)
    """(from seconds, to seconds, rows)."""
    with_text: int = 0
    words: int = 0
    characters: Counter[str] = field(default_factory=Counter)
    speakers: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    langs: Counter[str] = field(default_factory=Counter)
    extra: Counter[str] = field(default_factory=Counter)
    """Keys that onsei keeps without a meaning of its own."""
    rates: Counter[int] = field(default_factory=Counter)
    """Files by sample rate in Hz."""
    channels: Counter[int] = field(default_factory=Counter)
    """Files by number of channels."""
    warnings: list[str] = field(default_factory=list)

    @property
    def mean(self) -> float:
        """Seconds a row."""
        known = self.rows - self.unknown_durations
        return self.seconds / known if known else float("nan")


def stats(manifest: Manifest, *, headers: bool = True, limits: Limits = (None, None)) -> Stats:
    """Count over ``manifest``; ``headers`` reads those of its sound files, for rates, channels and unknown durations.

    With ``limits``, the shortest and longest in seconds, other rows are counted as outside, and beside that only in the
    rates and channels, which are of all files.

    Lines and files that cannot be read are left out and counted in the warnings.
    """
    found = Stats(rows=len(manifest))
    lengths = np.array(manifest.durations, dtype=np.float64)
    faults: Counter[str] = Counter()
    title = f"counting {manifest.path.name}"
    with ThreadPoolExecutor(THREADS) as pool, progress(title, len(manifest)) as advance:
        reader = Headers(pool)
        numbers = iter(range(len(manifest)))
        while chunk := list(islice(numbers, _CHUNK)):
            rows = dict(_rows(manifest, chunk, faults))
            if headers:
                opened = reader.read(row.audio for row in rows.values() if row.audio)
                for number, row in rows.items():
                    info = opened.get(row.audio) if row.audio else None
                    if isinstance(info, OnseiError):
                        faults["sound files cannot be read"] += 1
                    elif info is not None and np.isnan(lengths[number]):
                        lengths[number] = info.duration - (row.offset or 0.0)
            if limits != (None, None):
                first = chunk[0]
                inside = set((between(lengths[first : chunk[-1] + 1], *limits) + first).tolist())
                found.outside += len(chunk) - len(inside)
                lengths[[number for number in chunk if number not in inside]] = np.nan
                rows = {number: row for number, row in rows.items() if number in inside}
            for row in rows.values():
                _count(found, row)
            advance(len(chunk), headers and len(manifest) > SHOW_FROM)
    found.rates, found.channels = reader.rates, reader.channels
    told = [f"{count} {what}: `onsei data check` names them" for what, count in faults.items()]
    found.warnings = [*reader.mixed(), *told]
    _measure(found, lengths)
    found.rows -= found.outside
    found.unknown_durations -= found.outside
    return found


def _rows(manifest: Manifest, numbers: list[int], faults: Counter[str]) -> Iterator[tuple[int, Row]]:
    for number in numbers:
        try:
            yield number, manifest.read(number, manifest.path.name)
        except OnseiError:
            faults["lines cannot be read"] += 1


def _count(found: Stats, row: Row) -> None:
    if row.text is not None:
        found.with_text += 1
        found.words += len(row.text.split())
        found.characters.update(row.text)
    for counter, value in ((found.speakers, row.speaker), (found.labels, row.label), (found.langs, row.lang)):
        if value is not None:
            counter[value] += 1
    found.extra.update(row.extra.keys())


def _measure(found: Stats, lengths: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    known = lengths[~np.isnan(lengths)]
    found.unknown_durations = len(lengths) - len(known)
    if len(known):
        found.seconds, found.shortest, found.longest = float(known.sum()), float(known.min()), float(known.max())
        counts, edges = np.histogram(known, bins=_BINS)
        bounds = [float(edge) for edge in edges]
        found.histogram = list(zip(bounds[:-1], bounds[1:], counts.tolist(), strict=True))
