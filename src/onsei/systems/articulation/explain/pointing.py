"""The pointing game: does a heat map's hottest place lie on a known contour?

T frames, H height, W width, K points.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onsei.errors import DataError

_STEP = 4


@dataclass(frozen=True)
class Pointing:
    """Hits of the pointing game. Those of many clips are added."""

    frames: int = 0
    hits: int = 0
    chance: float = 0.0
    """Hits that would be expected of random places."""

    def __add__(self, other: Pointing) -> Pointing:
        return Pointing(self.frames + other.frames, self.hits + other.hits, self.chance + other.chance)

    @property
    def rate(self) -> float:
        """Hits, in percent of the frames."""
        return 100.0 * self.hits / self.frames if self.frames else float("nan")

    @property
    def chance_rate(self) -> float:
        """The same of random places."""
        return 100.0 * self.chance / self.frames if self.frames else float("nan")


@dataclass(frozen=True)
class Contours:
    """Known contours."""

    points: NDArray[np.float64]
    """(T, K, 2) as x, y in pixels."""
    size: tuple[int, int]
    """Height and width of the picture that they lie in."""


def read_contours(path: Path, frames: int) -> Contours:
    """Contours of a film of so many frames.

    Raises:
        DataError: no such file, other content, or of another number of frames.
    """
    mend = "store `points` (frames, points, 2) as x, y and `size` (height, width) by numpy.savez"
    try:
        with np.load(path, allow_pickle=False) as stored:
            points, size = np.asarray(stored["points"], np.float64), np.asarray(stored["size"])
    except (OSError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read as contours ({error})", mend) from None
    if points.ndim != 3 or points.shape[2] != 2 or size.shape != (2,) or not np.isfinite(points).all():
        raise DataError(f"{path}: expected points (frames, points, 2), found {points.shape}, size {size}", mend)
    if len(points) != frames:
        raise DataError(f"{path}: contours of {len(points)} frames, the film has {frames}", "take those of this film")
    return Contours(points, (int(size[0]), int(size[1])))


def pointing_game(
    maps: NDArray[np.float32], contours: Contours, tolerance: float, use: NDArray[np.bool_] | None = None
) -> Pointing:
    """A hit is a frame whose hottest place lies within ``tolerance`` pixels of the contour. A map without heat misses.

    Source: Zhang et al., Top-down neural attention by excitation backprop, 2018, section 4.1, where it is 15.

    Args:
        maps: (T, H, W); their places are brought to the contours' picture.
        contours: what is known.
        tolerance: pixels of the contours' picture.
        use: (T,), frames that count; all by default.
    """
    height, width = maps.shape[1:]
    scale = np.array([contours.size[1] / width, contours.size[0] / height])
    hottest = maps.reshape(len(maps), -1).argmax(axis=1)
    places = (np.stack([hottest % width, hottest // width], axis=1) + 0.5) * scale
    hit = _distances(places[:, None], contours.points)[:, 0] <= tolerance
    hit &= maps.reshape(len(maps), -1).max(axis=1) > 0
    rows, columns = np.arange(_STEP / 2, contours.size[0], _STEP), np.arange(_STEP / 2, contours.size[1], _STEP)
    grid = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(1, -1, 2)
    counted = np.ones(len(maps), bool) if use is None else use
    near = [float((_distances(grid, contours.points[t : t + 1]) <= tolerance).mean()) for t in np.flatnonzero(counted)]
    return Pointing(int(counted.sum()), int(hit[counted].sum()), float(sum(near)))


def _distances(places: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """From each place (T, N, 2) to the nearest of the points (T, K, 2) of its frame: (T, N)."""
    best: NDArray[np.float64] = np.full(np.broadcast_shapes(places.shape[:2], (len(points), 1)), np.inf)
    for k in range(points.shape[1]):
        best = np.minimum(best, np.linalg.norm(places - points[:, None, k], axis=-1))
    return best
