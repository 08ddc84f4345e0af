"""Decodes every sound that a corpus lists, in parallel, and leaves out what nothing can be learned from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice

from onsei.data.corpora.corpus import Entry, Fault
from onsei.data.digest import sound_digest
from onsei.data.durations import THREADS
from onsei.errors import OnseiError

_CHUNK = 256
_SILENCE = 1e-4
"""Greatest amplitude, full scale 1, of what counts as silence: 80 dB below full scale."""


def heard(entries: Iterable[Entry], *, shortest: float, longest: float, silence: bool = False) -> Iterator[Entry]:
    """The same entries, measured ones with the digest of their samples; what cannot be used becomes a fault.

    Sounds are decoded in blocks and none is held: two hours need no more memory than a second. Too long ones are not
    decoded at all.

    Args:
        entries: measured utterances and faults.
        shortest: in seconds; shorter sounds are faults.
        longest: in seconds; longer sounds are faults.
        silence: whether sounds without any sound in them are kept.
    """
    entries = iter(entries)
    work = partial(_heard, shortest=shortest, longest=longest, silence=silence)
    with ThreadPoolExecutor(THREADS) as pool:
        while chunk := list(islice(entries, _CHUNK)):
            yield from pool.map(work, chunk)


def _heard(entry: Entry, *, shortest: float, longest: float, silence: bool) -> Entry:
    if isinstance(entry, Fault):
        return entry
    seconds = entry.row.duration or 0.0
    if seconds < shortest:
        return Fault("duration", entry.place, f"lasts {seconds:.3f} s, less than --min-duration {shortest:g}")
    if seconds > longest:
        reason = f"lasts {seconds:.0f} s, more than --max-duration {longest:g}: cut it, or raise the limit"
        return Fault("duration", entry.place, reason)
    try:
        sound, peak = sound_digest(entry.row)
    except OnseiError as error:
        return Fault("audio", entry.place, error.message)
    if peak <= _SILENCE and not silence:
        return Fault("silent", entry.place, "silent from begin to end; --keep-silent keeps it")
    return entry._replace(sound=sound)
