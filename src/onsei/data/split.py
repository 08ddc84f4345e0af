"""Cuts a manifest into training, validation and test rows, by chance or without a speaker on both sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from onsei.data.durations import measure
from onsei.data.manifest import Manifest
from onsei.data.merge import between
from onsei.data.permutation import Permutation
from onsei.data.row import Row
from onsei.errors import DataError

Part = npt.NDArray[np.int64]


def split(
    manifest: Manifest, val: float, test: float = 0.0, *, seed: int = 0, by: str | None = None
) -> dict[str, Part]:
    """Row numbers of ``train``, ``val`` and, where asked for, ``test``, each in the manifest's order.

    Args:
        manifest: what to cut.
        val: below 1 a share of the rows, else a number of rows.
        test: likewise; 0 for none.
        seed: of the choice.
        by: a key (``speaker``, ``label``, ``lang`` or any other) whose values stay together: none is in two parts. The
            parts are then as near to the wanted numbers as whole groups, taken in a shuffled order, allow.

    Raises:
        DataError: a part or the rest would be empty, a share or number makes no sense, or a row lacks the key ``by``.
    """
    total = len(manifest)
    wanted = {name: _number(value, total, name) for name, value in (("val", val), ("test", test)) if value}
    if not wanted or sum(wanted.values()) >= total:
        held = sum(wanted.values())
        raise DataError(f"{manifest.path}: {total} rows, {held} to hold out", "hold out at least one and leave one")
    return cut(total, wanted, seed) if by is None else _by_group(manifest, wanted, seed, by)


def cut(total: int, wanted: Mapping[str, int], seed: int) -> dict[str, Part]:
    """So many rows of ``total`` as ``wanted`` says, by chance, and ``train`` of the rest."""
    order = Permutation(total, seed)(np.arange(total))
    parts, first = {}, 0
    for name, count in wanted.items():
        parts[name] = np.sort(order[first : first + count])
        first += count
    return {"train": np.sort(order[first:]), **parts}


def cut_by_group(group: npt.NDArray[np.int32], wanted: Mapping[str, int], seed: int) -> dict[str, Part]:
    """As ``cut``, for rows of the groups 0 …; no group is in two parts. There are more groups than parts to cut off."""
    sizes = Counter(group.tolist())
    order = Permutation(len(sizes), seed)(np.arange(len(sizes))).tolist()
    parts = {}
    for left, (name, count) in enumerate(wanted.items()):
        taken = _taken(order, sizes, count, most=len(order) - (len(wanted) - left))
        order = [code for code in order if code not in taken]
        parts[name] = np.flatnonzero(np.isin(group, list(taken)))
    return {"train": np.flatnonzero(np.isin(group, order)), **parts}


def within(manifest: Manifest, rows: Part, shortest: float | None, longest: float | None) -> Part:
    """Those of ``rows`` that last from ``shortest`` to ``longest`` seconds; headers are read where they tell it alone.

    Raises:
        DataError: none is left.
    """
    kept = rows[between(measure(manifest).durations[rows], shortest, longest)]
    if not len(kept):
        raise DataError(f"{manifest.path}: {len(rows)} training rows, none within the limits", "widen the limits")
    return kept


def group_of(row: Row, key: str) -> str | None:
    """The row's value of ``key``, a field or another key of the manifest, as text; None where it has none."""
    value = getattr(row, key) if key in Row.__dataclass_fields__ else row.extra.get(key)
    return None if value is None else str(value)


def _number(value: float, total: int, name: str) -> int:
    if not value > 0 or (value >= 1 and value != int(value)):
        raise DataError(f"{name}: expected a share below 1 or a whole number of rows, found {value}", "e.g. 0.1 or 100")
    return max(1, round(value * total)) if value < 1 else int(value)


def _by_group(manifest: Manifest, wanted: dict[str, int], seed: int, by: str) -> dict[str, Part]:
    codes: dict[str, int] = {}
    group = np.empty(len(manifest), dtype=np.int32)
    for number in range(len(manifest)):
        value = group_of(manifest[number], by)
        if value is None:
            mend = f"give every row a {by}, or split without --by"
            raise DataError(f"{manifest.place(number)}: has no {by!r}", mend)
        group[number] = codes.setdefault(value, len(codes))
    if len(codes) <= len(wanted):
        found = f"{len(codes)} values of {by!r} for {len(wanted) + 1} parts"
        raise DataError(f"{manifest.path}: {found}", "split by another key, or into fewer parts")
    return cut_by_group(group, wanted, seed)


def _taken(order: list[int], sizes: Counter[int], count: int, most: int) -> set[int]:
    """Groups in ``order`` as long as each brings the sum nearer to ``count``; at least one, at most ``most``."""
    taken: set[int] = set()
    rows = 0
    for code in order:
        if len(taken) < most and abs(rows + sizes[code] - count) < abs(rows - count):
            taken.add(code)
            rows += sizes[code]
    return taken or {min(order, key=lambda code: sizes[code])}
