"""Leaks between the parts of a data set: the same recording, artist, speaker or sound on two sides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

Digests = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Leak:
    """Values of one key that two parts share."""

    key: str
    first: str
    """Name of a part."""
    second: str
    """Name of another part."""
    values: int
    """How many values are in both."""
    rows: int
    """Rows of ``second`` that have one of them."""
    example: tuple[int, int]
    """A row of each with the same value."""

    def told(self, first: str, second: str) -> str:
        """The leak in words, with names of the two example rows."""
        values = f"{self.values} {self.key}{'s' if self.values > 1 else ''}"
        same = "the very same samples" if self.key == "sound" else f"the same {self.key}"
        rows = f"{self.rows} row{'s' if self.rows > 1 else ''} of {self.second}"
        return f"{values} of {self.first} in {self.second} too ({rows}): {first} and {second} have {same}"


def leaks(parts: Mapping[str, Mapping[str, Digests]]) -> list[Leak]:
    """Values that stand in two of ``parts``: for each part and key the digests of its rows, 0 for none.

    Digests of 8 bytes: in ten million rows two different values are taken for one once in 400,000 times.
    """
    found = []
    for (first, left), (second, right) in combinations(parts.items(), 2):
        for key in left.keys() & right.keys():
            common = np.intersect1d(left[key][left[key] > 0], right[key][right[key] > 0])
            if len(common):
                rows = np.flatnonzero(np.isin(right[key], common))
                example = int(np.flatnonzero(left[key] == right[key][rows[0]])[0]), int(rows[0])
                found.append(Leak(key, first, second, len(common), len(rows), example))
    return sorted(found, key=lambda leak: (leak.first, leak.second, leak.key))
