"""Batches of rows of like duration, the same for every number of processes and workers, from any batch on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from onsei.data.index import Durations
from onsei.data.permutation import Permutation
from onsei.errors import DataError

Rows = npt.NDArray[np.int64]

_BATCHES_A_POOL = 100
_SMALLEST_POOL, _LARGEST_POOL = 1_000, 100_000
_MIXED_FROM = 8  # batches
_SCAN = 1 << 20
_SLACK = 1 + 1e-6  # durations are float32: ten clips of 0.1 s fit into 1 s


@dataclass(frozen=True)
class Survey:
    """What one pass over an epoch's batches tells."""

    batches: int
    seconds: float
    """Of sound."""
    padded_seconds: float
    """Of sound and of the padding of each batch to its longest row."""
    largest: Rows
    """Rows of the batch with the most padded seconds."""

    @property
    def waste(self) -> float:
        """Share of the padded seconds that is padding, 0..1."""
        return 1 - self.seconds / self.padded_seconds if self.padded_seconds else 0.0


class BucketSampler:
    """Cuts a corpus into batches of at most ``batch_seconds``, padding included, and ``batch_size`` rows.

    An epoch is a pseudo-random order of the rows, taken in pools of about a hundred batches; each pool is sorted by
    duration, cut into batches, and the batches shuffled. All of it is a pure function of (seed, epoch): nothing is
    saved to resume, and memory is that of a pool, whatever the corpus. Every row comes once an epoch. A corpus of less
    than 8 batches is one pool, in which the batches change their order from epoch to epoch, but not their rows.

    Args:
        durations: seconds of each row, float32; may be memory-mapped.
        batch_seconds: rows × longest row of a batch; None: no such limit. A row that is longer has a batch of its own.
        batch_size: most rows of a batch.
        seed: of the order.
        sorted_first: epoch 0 goes from the shortest row to the longest (SortaGrad; Amodei et al. 2015, section 3.1).
        shuffle: False keeps the manifest's order of pools in every epoch, for validation.

    Raises:
        DataError: no rows, or durations that are unknown, negative or infinite.
    """

    def __init__(
        self,
        durations: Durations,
        *,
        batch_seconds: float | None,
        batch_size: int,
        seed: int,
        sorted_first: bool = False,
        shuffle: bool = True,
    ) -> None:
        if batch_size < 1 or (batch_seconds is not None and not batch_seconds > 0):
            raise DataError(
                f"batch_size {batch_size}, batch_seconds {batch_seconds}: expected more than 0", "give positive values"
            )
        mean = _mean_of_known(durations)
        self.durations = durations
        self.batch_seconds = math.inf if batch_seconds is None else batch_seconds
        self.batch_size, self.seed = batch_size, seed
        self.sorted_first, self.shuffle = sorted_first, shuffle
        rows_a_batch = min(batch_size, self.batch_seconds / mean if mean else math.inf)
        pool = min(max(int(_BATCHES_A_POOL * rows_a_batch), _SMALLEST_POOL), _LARGEST_POOL)
        # Rows of one pool always meet the same neighbors: a small corpus needs two for its batches to mix anew.
        fewest = 2 if shuffle and len(durations) >= _MIXED_FROM * rows_a_batch else 1
        pools = max(fewest, round(len(durations) / pool))
        self._pool = -(-len(durations) // pools)
        self._surveys: dict[int, Survey] = {}

    def count(self, epoch: int) -> int:
        """Number of batches in ``epoch``, over all processes. The first call makes one pass over the durations."""
        return self.survey(epoch).batches

    def batches(self, epoch: int, start: int = 0, rank: int = 0, world: int = 1) -> Iterator[Rows]:
        """Row numbers of the batches ``start + rank, start + rank + world, …`` of ``epoch``, longest row first.

        The last of ``world`` processes may have a batch fewer than the first.
        """
        return islice(self._from(epoch, start), rank, None, world)

    def survey(self, epoch: int) -> Survey:
        """Batches, padding and the largest batch of ``epoch``; kept for the last few epochs asked for."""
        if epoch not in self._surveys:
            while len(self._surveys) > 2:
                self._surveys.pop(next(iter(self._surveys)))
            self._surveys[epoch] = self._surveyed(epoch)
        return self._surveys[epoch]

    def settings(self) -> dict[str, Any]:
        """What the batches depend on, beside the durations, as JSON values."""
        return {
            "batch_seconds": None if math.isinf(self.batch_seconds) else self.batch_seconds,
            "batch_size": self.batch_size,
            "seed": self.seed,
            "sorted_first": self.sorted_first,
            "shuffle": self.shuffle,
        }

    def _from(self, epoch: int, start: int) -> Iterator[Rows]:
        for number, pool in enumerate(self._pools(epoch)):
            rows, cuts = self._cut(pool)
            batches = len(cuts) - 1
            if start >= batches:
                start -= batches
                continue
            for batch in self._order(epoch, number, batches)[start:]:
                yield rows[cuts[batch] : cuts[batch + 1]]
            start = 0

    def _order(self, epoch: int, pool: int, batches: int) -> Rows:
        if self._ascends(epoch):
            return np.arange(batches)[::-1]
        if not self.shuffle:
            return np.arange(batches)
        return Permutation(batches, self.seed, epoch, pool)(np.arange(batches))

    def _ascends(self, epoch: int) -> bool:
        return self.sorted_first and epoch == 0

    def _pools(self, epoch: int) -> Iterator[Rows]:
        """Rows of the epoch, a pool at a time."""
        total = len(self.durations)
        if self._ascends(epoch):
            yield from ascending(self.durations, self._pool)
            return
        order = Permutation(total, self.seed, epoch)
        for first in range(0, total, self._pool):
            places = np.arange(first, min(first + self._pool, total))
            yield order(places) if self.shuffle else places

    def _cut(self, pool: Rows) -> tuple[Rows, list[int]]:
        """The pool from its longest row to its shortest, and where each batch starts; the last entry is its end."""
        seconds = np.asarray(self.durations[pool])
        order = np.lexsort((pool, -seconds))
        rows = pool[order]
        # A batch that starts with its longest row is as long as that row: how many fit follows from it alone.
        with np.errstate(divide="ignore"):
            fit = np.floor(self.batch_seconds / seconds[order].astype(np.float64) * _SLACK)
        sizes = np.clip(fit, 1, self.batch_size).astype(np.int64).tolist()
        cuts = [0]
        while cuts[-1] < len(rows):
            cuts.append(cuts[-1] + sizes[cuts[-1]])
        cuts[-1] = len(rows)
        return rows, cuts

    def _surveyed(self, epoch: int) -> Survey:
        batches, seconds, padded, most = 0, 0.0, 0.0, -1.0
        largest: Rows = np.empty(0, dtype=np.int64)
        for pool in self._pools(epoch):
            rows, cuts = self._cut(pool)
            lengths = np.asarray(self.durations[rows], dtype=np.float64)
            sizes = np.diff(cuts) * lengths[cuts[:-1]]
            batches, seconds, padded = batches + len(sizes), seconds + lengths.sum(), padded + sizes.sum()
            if sizes.max() > most:
                most, batch = sizes.max(), int(sizes.argmax())
                largest = rows[cuts[batch] : cuts[batch + 1]]
        return Survey(batches, float(seconds), float(padded), largest)


def ascending(durations: Durations, chunk: int) -> Iterator[Rows]:
    """All rows from the shortest to the longest (equal ones by number), at most ``chunk`` at a time.

    Holds about a million rows, not the corpus: reads the durations once for each million.
    """
    held = np.empty(0, dtype=np.int64)
    for part in _value_ranges(durations):
        held = np.concatenate([held, part])
        whole = len(held) // chunk * chunk
        yield from held[:whole].reshape(-1, chunk)
        held = held[whole:]
    if len(held):
        yield held


def _value_ranges(durations: Durations) -> Iterator[Rows]:
    """Rows of successive ranges of duration, sorted, about a million rows each."""
    # Bits of floats from 0 up order as the floats do: a histogram over them splits any corpus by exact values.
    pending = [(0, 1 << 32, len(durations))]
    while pending:
        low, high, rows = pending.pop()
        if rows <= _SCAN:
            found = np.concatenate([places for places, _ in _within(durations, low, high)] or [np.empty(0, np.int64)])
            yield found[np.argsort(durations[found], kind="stable")]
        elif high - low == 1:
            yield from (places for places, _ in _within(durations, low, high))
        else:
            pending += reversed(_split(durations, low, high))


def _split(durations: Durations, low: int, high: int) -> list[tuple[int, int, int]]:
    """Cut low..high into ranges of at most a million rows where 65536 equal steps allow it: (low, high, rows)."""
    step = max(1, (high - low) >> 16)
    counts = np.zeros((high - low) // step, dtype=np.int64)
    for _, bits in _within(durations, low, high):
        counts += np.bincount((bits - low) // step, minlength=len(counts))
    ranges: list[tuple[int, int, int]] = []
    for number in np.flatnonzero(counts).tolist():
        bottom, rows = low + number * step, int(counts[number])
        if ranges and ranges[-1][2] + rows <= _SCAN:
            ranges[-1] = (ranges[-1][0], bottom + step, ranges[-1][2] + rows)
        else:
            ranges.append((bottom, bottom + step, rows))
    return ranges


def _within(durations: Durations, low: int, high: int) -> Iterator[tuple[Rows, npt.NDArray[np.int64]]]:
    """Rows whose durations' bits lie in low..high-1, in order, and those bits; a million durations at a time."""
    for first in range(0, len(durations), _SCAN):
        part = np.ascontiguousarray(durations[first : first + _SCAN], dtype=np.float32) + np.float32(0)  # no -0
        bits = part.view(np.uint32).astype(np.int64)
        inside = np.flatnonzero((bits >= low) & (bits < high))
        yield inside + first, bits[inside]


def _mean_of_known(durations: Durations) -> float:
    if not len(durations):
        raise DataError("a sampler needs rows, found none", "check the manifest and the limits on duration")
    total = 0.0
    for first in range(0, len(durations), _SCAN):
        part = np.asarray(durations[first : first + _SCAN])
        bad = np.flatnonzero(~np.isfinite(part) | (part < 0))
        if len(bad):
            row = first + int(bad[0])
            raise DataError(
                f"row {row} (from 0): expected a duration in seconds, found {part[bad[0]]}",
                "have the headers read: `onsei data merge MANIFEST --output-path NEW` writes a manifest with durations",
            )
        total += float(part.sum(dtype=np.float64))
    return total / len(durations)
