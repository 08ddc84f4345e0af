"""Opens the header of every sound that a corpus lists, in parallel, and tells durations and faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path

from onsei.data.corpora.corpus import Entry, Fault, Names, Utterance, kind_of
from onsei.data.durations import THREADS
from onsei.data.headers import Header, Headers
from onsei.errors import OnseiError

_CHUNK = 1024
_ROUNDING = 0.1
"""Seconds by which a segment may pass the end of its file: lists round their times."""


def measured(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The same entries, utterances with the duration of their sound or of the part of it that they are.

    A thousand at a time are held. What is missing, empty, not sound, a segment that the sound does not have, or an id
    that came before becomes a fault.
    """
    names, entries = Names(), iter(entries)
    broken: Counter[Path] = Counter()
    with ThreadPoolExecutor(THREADS) as pool:
        headers = Headers(pool)
        while chunk := list(islice(entries, _CHUNK)):
            paths = [entry.row.audio for entry in chunk if isinstance(entry, Utterance) and entry.row.audio]
            found = headers.read(paths)
            for entry in chunk:
                if isinstance(entry, Fault):
                    yield entry
                    continue
                assert entry.row.audio is not None, "a corpus lists sounds"
                fault = _measured(entry, found[entry.row.audio])
                if isinstance(fault, Utterance) and not names.is_new(entry.row.id):
                    yield Fault("duplicate", entry.place, f"the id {entry.row.id} came before")
                elif isinstance(fault, Fault) and entry.row.offset is not None and fault.kind != "segment":
                    broken[entry.row.audio] += 1
                    if broken[entry.row.audio] == 1:  # once for a talk, not for each of its segments
                        yield fault
                else:
                    yield fault
    for path, count in broken.items():
        if count > 1:
            yield Fault("audio", str(path), f"{count} segments of it are lost")


def _measured(entry: Utterance, header: Header) -> Entry:
    row = entry.row
    assert row.audio is not None, "a corpus lists sounds"
    if isinstance(header, OnseiError):
        return Fault(kind_of(row.audio), entry.place, header.message)
    if row.offset is None:
        return entry._replace(row=replace(row, duration=round(header.duration, 4)))
    end = row.offset + (row.duration if row.duration is not None else header.duration - row.offset)
    if row.offset >= header.duration or end > header.duration + _ROUNDING:
        reason = f"goes from {row.offset:.3f} s to {end:.3f} s, the sound ends at {header.duration:.3f} s"
        return Fault("segment", entry.place, f"{row.audio.name}: {reason}")
    return entry._replace(row=replace(row, duration=round(min(end, header.duration) - row.offset, 4)))
