"""Batches of groups whose pictures have like colors: what tells them apart is what there is, and how it lies.

N pairs, S pixels of a side, D bins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from onsei.data.sampler import BucketSampler, Rows, Survey
from onsei.units import kmeans

_LEVELS = 6
"""Of each color channel."""
BINS = _LEVELS**3
"""Of a color histogram, D."""
_SAMPLE = 20_000
"""Pictures that the clusters are fitted to, at most."""
_MEAN = 1.5
"""Groups that a cluster has on the mean."""
_ROUNDS = 20
"""Of k-means over the sample, at most."""
_MOST = 1000
"""Clusters, at most."""


def histogram(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Square roots of the shares that colors have in a picture, (3, S, S) → (D,) (Swain and Ballard 1991, section 2).

    The distance of two of them is Hellinger's, but for a factor.
    """
    level = picture.reshape(3, -1).astype(np.int64) * _LEVELS // 256
    counts = np.bincount((level[0] * _LEVELS + level[1]) * _LEVELS + level[2], minlength=BINS)
    return np.sqrt(counts / level.shape[1]).astype(np.float32)


def clusters(look: Callable[[Rows], NDArray[np.float32]], pairs: int, group: int, seed: int) -> NDArray[np.int32]:
    """A cluster for each of ``pairs`` pictures, (N,), by k-means: at most 1000, of 1.5 ``group`` on the mean or more.

    Args:
        look: histograms of the pictures of some pairs, (n,) → (n, D); it is asked for at most 20,000 at a time.
    """
    rows = np.arange(pairs)
    sample = look(rows if pairs <= _SAMPLE else np.sort(np.random.default_rng(seed).permutation(pairs)[:_SAMPLE]))
    wanted = min(_MOST, round(pairs / (_MEAN * group)), len(np.unique(sample, axis=0)))
    found = kmeans.fit(sample, max(1, wanted), iterations=_ROUNDS, seed=seed)
    parts = [sample] if pairs <= _SAMPLE else (look(rows[n : n + _SAMPLE]) for n in range(0, pairs, _SAMPLE))
    return np.concatenate([found.assign(torch.from_numpy(part)).numpy().astype(np.int32) for part in parts])


class AlikeSampler(BucketSampler):
    """Cuts pairs into batches of groups from one cluster each; both are drawn anew in every epoch.

    Every pair comes once an epoch, and batches differ by one pair at most. All is a pure function of (seed, epoch).

    Args:
        cluster: of each pair, (N,).
        group: pairs in a group; what is left of a cluster makes a smaller one.
        batch_size: most pairs of a batch.
        seed: of the order.
    """

    def __init__(self, cluster: NDArray[np.int32], group: int, *, batch_size: int, seed: int) -> None:
        super().__init__(np.ones(len(cluster), dtype=np.float32), batch_seconds=None, batch_size=batch_size, seed=seed)
        self.cluster, self.group = cluster, group

    def settings(self) -> dict[str, Any]:
        """What the batches depend on, beside the pictures, as JSON values."""
        return {**super().settings(), "group": self.group}

    def _from(self, epoch: int, start: int) -> Iterator[Rows]:
        yield from np.array_split(self._rows(epoch), self.count(epoch))[start:]

    def _rows(self, epoch: int) -> Rows:
        """All pairs in the order of ``epoch``, (N,): groups by chance, each in one piece."""
        draw = np.random.default_rng((self.seed, epoch))
        rows = draw.permutation(len(self.cluster))
        rows = rows[np.argsort(self.cluster[rows], kind="stable")]
        first = np.searchsorted(self.cluster[rows], self.cluster[rows])
        new = (np.arange(len(rows)) - first) % self.group == 0
        place = draw.permutation(int(new.sum()))[np.cumsum(new) - 1]
        found: Rows = rows[np.argsort(place, kind="stable")]
        return found

    def _surveyed(self, epoch: int) -> Survey:
        pairs = len(self.cluster)
        batches = -(-pairs // self.batch_size)
        size = -(-pairs // batches)
        return Survey(batches, float(pairs), float(pairs), np.arange(size))
