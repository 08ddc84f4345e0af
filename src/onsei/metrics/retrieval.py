"""How well one kind of thing finds another: recall at k, ranks, and how likely chance alone does as well.

Q queries, G things in the gallery.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

KS = (1, 5, 10)


@dataclass(frozen=True)
class Retrieval:
    """What became of a search."""

    recall: Mapping[int, float]
    """By k: share of queries whose own thing is among the k nearest, in percent."""
    median_rank: float
    """The nearest thing has rank 1."""
    queries: int
    gallery: int

    def chance(self, k: int) -> float:
        """Recall at k of a random order, in percent, where each query has one thing of its own."""
        return 100 * min(k, self.gallery) / self.gallery


def ranks(similarity: ArrayLike, truth: ArrayLike | None = None) -> NDArray[np.int64]:
    """Rank of each query's own thing, from 1; of several of its own the nearest.

    A tie counts half against it, so that a network that finds all things alike is at chance, not perfect.

    Args:
        similarity: (Q, G); not finite numbers come last.
        truth: number of each query's own thing, (Q,), or True where a thing is its own, (Q, G); by default query n
            belongs to thing n.

    Returns:
        (Q,), from 1 to G.

    Raises:
        ValueError: shapes that do not fit, or a query without anything of its own.
    """
    values = np.asarray(similarity, dtype=np.float64)
    values = np.where(np.isfinite(values), values, -np.inf)
    own = _own(values.shape, truth)
    if not own.any(1).all():
        raise ValueError(f"query {int(np.flatnonzero(~own.any(1))[0])} has nothing of its own in the gallery")
    best = np.where(own, values, -np.inf).max(1, keepdims=True)
    above = ((values > best) & ~own).sum(1)
    level = ((values == best) & ~own).sum(1)
    found: NDArray[np.int64] = 1 + above + (level + 1) // 2
    return found


def retrieval(similarity: ArrayLike, truth: ArrayLike | None = None, ks: Sequence[int] = KS) -> Retrieval:
    """Recall at each k, and the median rank. Arguments and errors as of ``ranks``."""
    found = ranks(similarity, truth)
    gallery = np.asarray(similarity).shape[1]
    recall = {k: 100 * float(np.mean(found <= k)) for k in ks}
    return Retrieval(recall, float(np.median(found)), len(found), gallery)


def shuffled(similarity: ArrayLike, k: int = 10, draws: int = 1000, seed: int = 0) -> NDArray[np.float64]:
    """Recall at k, in percent, of ``draws`` random pairings of the queries of a square ``similarity``, (draws,).

    What a network gives that hears nothing: its pictures and clips are as they are, who belongs to whom is drawn.
    """
    values = np.asarray(similarity, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise ValueError(f"expected a square matrix, found {values.shape}")
    size = len(values)
    random = np.random.default_rng(seed)
    place = np.empty(values.shape, dtype=np.int64)  # rank of every thing for every query, ties broken by chance
    order = np.lexsort((random.random(values.shape), -values), axis=1)
    np.put_along_axis(place, order, np.broadcast_to(np.arange(1, size + 1), values.shape), 1)
    hit = place <= k
    rows = np.arange(size)
    return np.array([100 * hit[rows, random.permutation(size)].mean() for _ in range(draws)])


def permutation_p(similarity: ArrayLike, k: int = 10, draws: int = 1000, seed: int = 0) -> float:
    """Probability that chance pairs recall as much at k, by ``shuffled`` (Phipson and Smyth 2010: never 0)."""
    truth = retrieval(similarity, ks=(k,)).recall[k]
    drawn = shuffled(similarity, k, draws, seed)
    return float((1 + np.sum(drawn >= truth - 1e-9)) / (1 + draws))


def _own(shape: tuple[int, ...], truth: ArrayLike | None) -> NDArray[np.bool_]:
    if len(shape) != 2 or not shape[1]:
        raise ValueError(f"similarity: expected (queries, things), found {shape}")
    given = np.arange(shape[0]) if truth is None else np.asarray(truth)
    if given.ndim == 2:
        if given.shape != shape:
            raise ValueError(f"truth: expected {shape}, found {given.shape}")
        return given.astype(bool)
    if given.shape != (shape[0],) or (len(given) and not 0 <= given.min() <= given.max() < shape[1]):
        raise ValueError(f"truth: expected {shape[0]} numbers below {shape[1]}, found {given.shape}")
    own = np.zeros(shape, dtype=bool)
    own[np.arange(shape[0]), given] = True
    return own
