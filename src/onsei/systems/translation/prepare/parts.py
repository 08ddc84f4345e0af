"""Parts without leaks: rows that share a picture, a sentence or a recording stay on one side, in pairs and sentences
alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from onsei.data.row import Row
from onsei.data.split import cut_by_group
from onsei.errors import DataError
from onsei.systems.translation.prepare.found import keys_of

PARTS = ("train", "val", "test")


def parted(
    rows: Sequence[Row], shares: dict[str, float], seed: int, *, by_speaker: bool, kinds: Sequence[str] = ()
) -> list[str]:
    """The part of each row. Groups are all that hangs together; parts are as near to their shares as these allow.

    Args:
        rows: of pairs and of sentences.
        shares: by the parts' names; ``train`` has the rest.
        seed: of the choice.
        by_speaker: whether a speaker's rows hang together.
        kinds: what each row is; every kind gets its shares, as far as there are groups.

    Raises:
        DataError: there are too few groups for the parts asked for.
    """
    wanted = {name: share for name, share in shares.items() if share}
    if not rows or not wanted:
        return ["train"] * len(rows)
    groups = _groups(rows, by_speaker=by_speaker)
    held: dict[int, set[str]] = {}
    for group, kind in zip(groups.tolist(), kinds or ["row"] * len(rows), strict=True):
        held.setdefault(group, set()).add(kind)
    parts = np.full(len(rows), "train", dtype=object)
    cut = False
    for stratum in sorted({tuple(sorted(found)) for found in held.values()}):
        mine = np.flatnonzero([tuple(sorted(held[group])) == stratum for group in groups.tolist()])
        codes, own = np.unique(groups[mine], return_inverse=True)
        if len(codes) <= len(wanted):
            continue
        cut = True
        counts = {name: max(1, round(share * len(mine))) for name, share in wanted.items()}
        for name, numbers in cut_by_group(own.astype(np.int32), counts, seed).items():
            parts[mine[numbers]] = name
    if not cut:
        what = "speaker, picture or sentence" if by_speaker else "picture or sentence"
        raise DataError(
            f"{len(rows)} rows of {len(held)} groups that share a {what}: too few for {', '.join(('train', *wanted))}",
            "hold out less (--val-fraction 0 or --test-fraction 0), or collect more",
        )
    return [str(part) for part in parts]


def _groups(rows: Sequence[Row], *, by_speaker: bool) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    """Numbers of the groups that rows with common keys make (union-find)."""
    parents = list(range(len(rows)))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    owners: dict[str, int] = {}
    digests: dict[Path, str] = {}
    for number, row in enumerate(rows):
        keys = list(keys_of(row, digests))
        if by_speaker and row.speaker is not None:
            keys.append(f"speaker {row.speaker}")
        for key in keys:
            parents[root(number)] = root(owners.setdefault(key, number))
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(root(n), len(numbers)) for n in range(len(rows))], dtype=np.int32)
