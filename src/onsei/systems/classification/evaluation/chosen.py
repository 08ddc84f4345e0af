"""Which clips a report shows: of every pair of class and guess the hardest, in memory that does not grow with them."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from onsei.metrics.classification import Cell
from onsei.systems.classification.evaluation.hearing import Clip

_EACH = 6
"""Clips kept of every cell of the matrix."""


class Hardest:
    """The ``most`` clips with the greatest loss."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._heap: list[tuple[float, int, Clip]] = []
        self._count = 0

    def add(self, clip: Clip) -> None:
        """Look at a clip."""
        self._count += 1
        keep = heapq.heappush if len(self._heap) < self._most else heapq.heappushpop
        keep(self._heap, (clip.loss, -self._count, clip))

    def clips(self) -> list[Clip]:
        """The hardest first."""
        return [clip for *_, clip in sorted(self._heap, key=lambda found: found[:2], reverse=True)]


class Chosen:
    """Clips of every cell: those named wrongly, and of those named rightly the least and the most sure."""

    def __init__(self) -> None:
        self._cells: dict[Cell, Hardest] = {}
        self._surest: dict[int, Clip] = {}

    def add(self, clip: Clip) -> None:
        """Look at a clip."""
        cell = clip.truth, clip.guessed
        self._cells.setdefault(cell, Hardest(_EACH)).add(clip)
        best = self._surest.get(clip.truth)
        if clip.right and (best is None or clip.chance > best.chance):
            self._surest[clip.truth] = clip

    def in_turn(self) -> Iterator[Clip]:
        """Every cell's clips in turn: one of each, then a second of each, as long as room is left.

        In a turn those named wrongly come first, the hardest of them at the head.
        """
        lists = {cell: found.clips() for cell, found in self._cells.items()}
        for truth, clip in self._surest.items():
            own = lists[truth, truth]
            if all(clip is not other for other in own):
                own.insert(min(1, len(own)), clip)
        for turn in range(_EACH + 1):
            now = [found[turn] for found in lists.values() if turn < len(found)]
            yield from sorted(now, key=lambda clip: (clip.right, -clip.loss))
