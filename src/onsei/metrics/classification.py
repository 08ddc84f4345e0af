"""Measures of classifiers: accuracy and F1 with their intervals, what is taken for what, and calibration.

N clips, C classes, K cells of the matrix that hold clips, R resamples. Rates are in percent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from onsei.errors import DataError
from onsei.metrics.bootstrap import Interval, ends, resampled

BINS = 15
"""Bins of confidence, as in Guo et al. 2017."""
RESAMPLES = 2_000
_Z = 1.959963984540054
"""Quantile of the normal distribution that leaves 2.5 % above it."""

Matrix = NDArray[np.int64]
"""Shape (C, C): how many clips of the row's class were taken for the column's."""
Cell = tuple[int, int]
"""A class and what it was taken for."""


@dataclass(frozen=True)
class PerClass:
    """Rates of every class, shape (C,) each."""

    precision: NDArray[np.float64]
    """Of the clips taken for this class, those that are of it; percent, nan where none was."""
    recall: NDArray[np.float64]
    """Of the clips of this class, those that were found; percent, nan where there are none."""
    f1: NDArray[np.float64]
    """Harmonic mean of both, percent; nan where the class is neither there nor guessed."""
    clips: NDArray[np.int64]
    """Clips of this class."""
    guessed: NDArray[np.int64]
    """Clips taken for this class."""


@dataclass(frozen=True)
class Pair:
    """Two classes that are taken for each other."""

    first: int
    second: int
    forth: int
    """Clips of the first taken for the second."""
    back: int
    """Clips of the second taken for the first."""


@dataclass(frozen=True)
class Calibration:
    """Whether a classifier that is 80 % sure is right in 80 of 100 clips. Bins of equal width, shape (bins,) each."""

    clips: NDArray[np.int64]
    confidence: NDArray[np.float64]
    """Mean confidence in a bin, 0..1; nan where it is empty."""
    accuracy: NDArray[np.float64]
    """Share of the bin's clips that are right, 0..1; nan where it is empty."""

    @property
    def error(self) -> float:
        """Expected calibration error, in percent points (Guo et al. 2017, equation 3)."""
        full = self.clips > 0
        gaps = np.abs(self.accuracy - self.confidence)[full]
        return float(100 * (gaps * self.clips[full]).sum() / self.clips.sum()) if full.any() else float("nan")

    @property
    def largest_error(self) -> float:
        """The largest gap of a bin that holds clips, in percent points."""
        gaps = np.abs(self.accuracy - self.confidence)[self.clips > 0]
        return float(100 * gaps.max()) if len(gaps) else float("nan")


class CalibrationMeter:
    """Gathers confidences of any number of clips in ``bins`` numbers."""

    def __init__(self, bins: int = BINS) -> None:
        self._clips = np.zeros(bins, np.int64)
        self._sure = np.zeros(bins)
        self._right = np.zeros(bins)

    def add(self, confidences: ArrayLike, right: ArrayLike) -> None:
        """Take the confidences, 0..1, of some clips, shape (n,), and whether each was right."""
        sure, hits = np.asarray(confidences, np.float64).ravel(), np.asarray(right, np.float64).ravel()
        if not (np.isfinite(sure).all() and (sure >= 0).all() and (sure <= 1 + 1e-6).all()):
            raise DataError(f"expected confidences from 0 to 1, found {sure}", "pass probabilities, not scores")
        bins = len(self._clips)
        numbers = np.clip(np.ceil(sure * bins).astype(np.int64) - 1, 0, bins - 1)  # a bin holds its upper end
        self._clips += np.bincount(numbers, minlength=bins)
        self._sure += np.bincount(numbers, sure, bins)
        self._right += np.bincount(numbers, hits, bins)

    def calibration(self) -> Calibration:
        """What was gathered so far."""
        with np.errstate(invalid="ignore"):
            return Calibration(self._clips.copy(), self._sure / self._clips, self._right / self._clips)


def confusion(truths: ArrayLike, guesses: ArrayLike, classes: int) -> Matrix:
    """The matrix of class numbers ``truths`` and ``guesses``, shape (N,) each.

    Raises:
        DataError: they are not as many, or a number is no class.
    """
    rows, columns = np.asarray(truths, np.int64).ravel(), np.asarray(guesses, np.int64).ravel()
    if len(rows) != len(columns):
        raise DataError(f"{len(rows)} classes and {len(columns)} guesses", "pass one guess a clip")
    both = np.concatenate([rows, columns])
    if len(both) and not (both.min() >= 0 and both.max() < classes):
        raise DataError(f"expected class numbers from 0 to {classes - 1}, found {both.min()} to {both.max()}")
    return np.bincount(rows * classes + columns, minlength=classes * classes).reshape(classes, classes)


def per_class(matrix: Matrix) -> PerClass:
    """Precision, recall and F1 of every class."""
    hits, clips, guessed = np.diag(matrix), matrix.sum(1), matrix.sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        f1 = 200 * hits / (clips + guessed)
        return PerClass(100 * hits / guessed, 100 * hits / clips, f1, clips, guessed)


def macro_f1(matrix: Matrix) -> float:
    """Mean F1, in percent, of the classes that are there or were guessed, as scikit-learn counts them."""
    f1 = per_class(matrix).f1
    return float(np.nanmean(f1)) if np.isfinite(f1).any() else float("nan")


def wilson(right: int, total: int) -> Interval:
    """A share with its 95 % interval, in percent (Wilson, JASA 1927): for clips that are independent of each other.

    Unlike a bootstrap it does not shrink to a point where all clips are right.
    """
    if not total:
        return Interval(float("nan"), float("nan"), float("nan"))
    share, square = right / total, _Z**2
    middle = (share + square / (2 * total)) / (1 + square / total)
    half = _Z / (1 + square / total) * math.sqrt(share * (1 - share) / total + square / (4 * total**2))
    low, high = 100 * (middle - half), 100 * (middle + half)
    return Interval(100 * share, low if right else 0.0, high if right < total else 100.0)


def intervals(
    matrix: Matrix, parts: Sequence[Mapping[Cell, int]] = (), *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[Interval, Interval]:
    """Accuracy and macro-F1 with their 95 % intervals.

    Args:
        matrix: of all clips.
        parts: the same clips by group, such as speaker or recording, as counts of cells: groups are drawn whole.
            Empty: clips are independent, and the accuracy's interval is Wilson's.
        resamples: draws of the bootstrap.
        seed: of the draws.

    Returns:
        accuracy and macro-F1; the ends are nan where there are fewer than two groups or no clips.
    """
    total, hits = int(matrix.sum()), int(np.trace(matrix))
    accuracy = wilson(hits, total)
    if not total:
        return accuracy, accuracy
    rows, columns = np.nonzero(matrix)
    counts = matrix[rows, columns]
    if parts:
        place = {cell: number for number, cell in enumerate(zip(rows.tolist(), columns.tolist(), strict=True))}
        by_part = np.zeros((len(parts), len(place)))
        for number, part in enumerate(parts):
            for cell, count in part.items():
                by_part[number, place[cell]] += count
        drawn = resampled(by_part, None, resamples, seed)
    else:
        drawn = np.random.default_rng(seed).multinomial(total, counts / total, resamples).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        if parts:
            accuracy = Interval(accuracy.rate, *ends(100 * drawn[:, rows == columns].sum(1) / drawn.sum(1)))
        return accuracy, Interval(macro_f1(matrix), *ends(_macro_f1(drawn, rows, columns, len(matrix))))


def confused(matrix: Matrix, most: int = 10) -> list[Pair]:
    """The pairs of classes with the most clips taken for each other, most first; only those with any."""
    both = np.triu(matrix + matrix.T, 1)
    order = np.argsort(-both, axis=None, kind="stable")[:most]
    pairs = (divmod(int(place), len(matrix)) for place in order)
    return [Pair(a, b, int(matrix[a, b]), int(matrix[b, a])) for a, b in pairs if both[a, b]]


def _macro_f1(
    drawn: NDArray[np.float64], rows: NDArray[np.int64], columns: NDArray[np.int64], classes: int
) -> NDArray[np.float64]:
    """Macro-F1 in percent of drawn counts of cells, (R, K) → (R,)."""
    one = np.eye(classes)
    sums = drawn @ (one[rows] + one[columns])  # (R, C): clips of the class and clips taken for it
    hits = drawn @ (one[rows] * (rows == columns)[:, None])
    f1 = np.divide(200 * hits, sums, out=np.zeros_like(sums), where=sums > 0)
    found: NDArray[np.float64] = f1.sum(1) / (sums > 0).sum(1)
    return found
