"""Cuts labeled rows into parts that have every class in like shares, and no recording or speaker on two sides."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from onsei.data.split import Part
from onsei.errors import DataError

Codes = npt.NDArray[np.int32]


def random_cut(total: int, share: float, seed: int) -> tuple[Part, Part]:
    """Rows to train on and rows held out, in the order of Hugging Face datasets' ``train_test_split``.

    That shuffles by numpy's ``default_rng(seed).permutation``; the first ``ceil(share * total)`` are held out.
    """
    order = np.random.default_rng(seed).permutation(total)
    held = int(np.ceil(share * total))
    return order[held:].astype(np.int64), order[:held].astype(np.int64)


def cut_by_class(labels: Codes, shares: Mapping[str, float], seed: int) -> dict[str, Part]:
    """So large a share of every class as ``shares`` says, by chance, and ``train`` of the rest; each in row order.

    A class of two clips or more gives each part one at least, as far as they reach; the last one stays in ``train``.
    """
    draw = np.random.default_rng(seed)
    parts: dict[str, list[Part]] = {name: [] for name in ("train", *shares)}
    for label in range(int(labels.max()) + 1):
        rows = draw.permutation(np.flatnonzero(labels == label))
        left = len(rows) - 1
        for name, share in shares.items():
            count = min(left, max(1, round(share * len(labels[labels == label])))) if share else 0
            parts[name].append(rows[:count])
            rows, left = rows[count:], left - count
        parts["train"].append(rows)
    return {name: np.sort(np.concatenate(found)).astype(np.int64) for name, found in parts.items()}


def cut_by_class_and_group(labels: Codes, groups: Codes, shares: Mapping[str, float], seed: int) -> dict[str, Part]:
    """As ``cut_by_class``, with whole groups: no group is in two parts, and classes are as even as that allows.

    Groups go one by one, in a shuffled order, large ones first, to the part that lacks most of what they hold. A group
    with all clips of a class goes to ``train``.

    Raises:
        DataError: there are too few groups for a group in every part.
    """
    names = ["train", *(name for name, share in shares.items() if share)]
    count = int(groups.max()) + 1
    if count < len(names):
        raise DataError(f"{count} groups of clips for {len(names)} parts", "hold out fewer parts, or record more")
    wanted = np.array([1.0 - sum(shares.values()), *(shares[name] for name in names[1:])])
    totals = np.bincount(labels).astype(float)
    lacking = wanted[:, None] * totals  # (parts, classes)
    order = np.random.default_rng(seed).permutation(count)
    sizes = np.bincount(groups, minlength=count)
    order = order[np.argsort(-sizes[order], kind="stable")]
    rows_of = np.split(np.argsort(groups, kind="stable"), np.cumsum(sizes)[:-1])
    chosen = np.zeros(count, dtype=np.int64)
    for place, group in enumerate(order.tolist()):
        held, amount = np.unique(labels[rows_of[group]], return_counts=True)
        need = (lacking[:, held] * amount / totals[held]).sum(axis=1)
        part = int(need.argmax())
        empty = [number for number in range(len(names)) if not (chosen[order[:place]] == number).any()]
        if (amount == totals[held]).any():
            part = 0
        elif count - place <= len(empty):  # as many groups are left as parts without any
            part = empty[0]
        chosen[group] = part
        lacking[part, held] -= amount
    return {name: np.flatnonzero(chosen[groups] == number) for number, name in enumerate(names)}
