"""Bootstrap intervals of error rates over utterances or speakers (Bisani & Ney, ICASSP 2004).

N utterances, G groups, K counts, R resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95
RESAMPLES = 10_000
_MOST = 10_000
"""More groups than these are pooled at random: the interval stays the same, the work does not grow."""
_CHUNK = 2_000_000
"""Draws made at once."""


@dataclass(frozen=True)
class Interval:
    """A rate and where it lies in 95 of 100 resamples, in percent; nan where there is nothing to count."""

    rate: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """A second system against a first on the same utterances."""

    difference: float
    """Second rate less first, in percent points: below 0 where the second is better."""
    low: float
    high: float
    improvement: float
    """Part of the resamples in which the second is better, 0..1; ties count half."""


def intervals(
    errors: ArrayLike,
    lengths: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Interval]:
    """Intervals of K rates, all from the same resamples.

    Args:
        errors: errors of each utterance, shape (N,) or (N, K).
        lengths: reference lengths, of the same shape.
        groups: group number of each utterance, shape (N,), such as its speaker; each its own group by default. Groups
            are drawn whole.
        resamples: how often to draw G groups with replacement.
        seed: of the draws.

    Returns:
        K intervals; their ends are nan where there are fewer than two groups.
    """
    e, n = _columns(errors), _columns(lengths)
    sums = resampled(np.hstack([e, n]), groups, resamples, seed)
    count = e.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = np.where(n.sum(0) > 0, 100 * e.sum(0) / n.sum(0), np.nan)
        drawn = 100 * sums[:, :count] / sums[:, count:]
    return [Interval(float(rate), *ends(drawn[:, k])) for k, rate in enumerate(rates)]


def compare(
    first: ArrayLike,
    second: ArrayLike,
    lengths: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Paired comparison of two systems: both are counted on the same resamples. Arguments as of ``intervals``.

    Args:
        first: errors of the first system, shape (N,).
        second: those of the second.
    """
    a, b, n = (_columns(counts) for counts in (first, second, lengths))
    sums = resampled(np.hstack([a, b, n]), groups, resamples, seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = float(100 * (b.sum() - a.sum()) / n.sum()) if n.sum() else float("nan")
        drawn = 100 * (sums[:, 1] - sums[:, 0]) / sums[:, 2]
    counted = drawn[np.isfinite(drawn)]
    better = float(((counted < 0) + (counted == 0) / 2).mean()) if len(counted) else float("nan")
    return Comparison(difference, *ends(drawn), better)


def group_numbers(names: Sequence[str]) -> NDArray[np.int64]:
    """Numbers from 0 for ``names``, the same for the same name, in the order of first use."""
    known: dict[str, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)


def _columns(counts: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(counts, dtype=np.float64)
    return values[:, None] if values.ndim == 1 else values


def resampled(counts: NDArray[np.float64], groups: ArrayLike | None, resamples: int, seed: int) -> NDArray[np.float64]:
    """Sums over resamples of whole groups: (N, K) → (R, K)."""
    random = np.random.default_rng(seed)
    number = np.arange(len(counts)) if groups is None else np.asarray(groups)
    total = int(number.max()) + 1 if len(number) else 0
    if total < 2:
        return np.full((resamples, counts.shape[1]), np.nan)
    if total > _MOST:
        number, total = random.permutation(np.arange(total) % _MOST)[number], _MOST
    parts = np.stack([np.bincount(number, column, total) for column in counts.T], axis=1)  # (G, K)
    sums = np.empty((resamples, counts.shape[1]))
    rows = max(1, _CHUNK // total)
    kind: Any = np.uint16 if total <= 2**16 else np.uint32
    for first in range(0, resamples, rows):
        height = min(rows, resamples - first)
        drawn = random.integers(0, total, (height, total), dtype=kind) + np.arange(height)[:, None] * total
        times = np.bincount(drawn.ravel(), minlength=height * total).reshape(height, total)
        sums[first : first + height] = times.astype(np.float64) @ parts
    return sums


def ends(drawn: NDArray[np.float64]) -> tuple[float, float]:
    """Between what 95 of 100 drawn values lie; nan where none is finite."""
    counted = drawn[np.isfinite(drawn)]  # a resample without a reference has no rate
    if not len(counted):
        return float("nan"), float("nan")
    low, high = np.quantile(counted, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
