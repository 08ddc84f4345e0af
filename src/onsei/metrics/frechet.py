"""How far apart two heaps of frames are: the Fréchet distance of a Gaussian fitted to each (Dowson and Landau 1982).

Of frames of an audio embedding it is the Fréchet audio distance (Kilgour et al. 2019). Numbers of two embeddings, or of
very different counts of frames, cannot be compared.

N frames, D features.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Wide = NDArray[np.float64]


class Moments:
    """Mean and covariance of frames that come piece by piece; memory is that of one covariance.

    Args:
        width: D.
    """

    def __init__(self, width: int) -> None:
        self.count = 0
        """N so far."""
        self.mean: Wide = np.zeros(width)
        """Shape (D,)."""
        self._scatter: Wide = np.zeros((width, width))

    def add(self, frames: ArrayLike) -> None:
        """Count ``frames``, (N, D) (Chan et al. 1979, pairwise updating)."""
        rows = np.asarray(frames, np.float64)
        if not len(rows):
            return
        mean = rows.mean(0)
        around, apart, total = rows - mean, mean - self.mean, self.count + len(rows)
        self._scatter += around.T @ around + np.outer(apart, apart) * (self.count * len(rows) / total)
        self.mean = self.mean + apart * (len(rows) / total)
        self.count = total

    @property
    def covariance(self) -> Wide:
        """Shape (D, D).

        Raises:
            ValueError: there are fewer than two frames.
        """
        if self.count < 2:
            raise ValueError(f"a covariance of {self.count} frames: it needs 2 or more")
        found: Wide = self._scatter / (self.count - 1)
        return found


def frechet_distance(one: Moments, other: Moments) -> float:
    """|m₁ - m₂|² + tr(C₁ + C₂ - 2 (C₁ C₂)^½), 0 or more; in squared units of the features.

    Raises:
        ValueError: one of them has fewer than two frames.
    """
    first, second = one.covariance, other.covariance
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    shared = np.sqrt(np.linalg.eigvalsh(root @ second @ root).clip(min=0)).sum()
    apart = np.square(one.mean - other.mean).sum()
    return float(max(0.0, apart + np.trace(first) + np.trace(second) - 2 * shared))
