"""A shuffled order of any number of rows that is computed where it is looked at, and never stored."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import numpy.typing as npt

_ROUNDS = 6
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


class Permutation:
    """A pseudo-random bijection of 0 … size-1: a Feistel network on a grid just larger than ``size``.

    The generalized network and cycle walking of Black and Rogaway (2002, "Ciphers with arbitrary finite domains"),
    with splitmix64's finalizer as round function. For order, not for secrets.
    """

    def __init__(self, size: int, *key: int) -> None:
        self.size = size
        side = math.isqrt(max(size - 1, 0)) + 1
        self._left, self._right = np.uint64(side), np.uint64(-(-size // side) or 1)
        digest = hashlib.blake2b(repr(key).encode(), digest_size=8 * _ROUNDS).digest()
        self._keys = np.frombuffer(digest, dtype="<u8")

    def __call__(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The rows that stand at ``places`` of the shuffled order."""
        rows = self._network(places.astype(np.uint64))
        outside = np.flatnonzero(rows >= self.size)
        while len(outside):  # the grid is at most one column larger: few walk on, and not far
            rows[outside] = self._network(rows[outside])
            outside = outside[rows[outside] >= self.size]
        return rows.astype(np.int64)

    def _network(self, values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        left, right = values // self._right, values % self._right
        for turn, key in enumerate(self._keys):
            if turn % 2:
                right = (right + _mixed(left ^ key)) % self._right
            else:
                left = (left + _mixed(right ^ key)) % self._left
        return left * self._right + right


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    values = (values ^ (values >> np.uint64(30))) * _MIX[0]
    values = (values ^ (values >> np.uint64(27))) * _MIX[1]
    return (values ^ (values >> np.uint64(31))) >> np.uint64(16)  # room for the addition that follows
