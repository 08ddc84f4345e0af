"""A gray picture that outlines are filled on, smooth at their edges."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw


class Canvas:
    """Outlines filled one over the other, on black.

    Args:
        height, width: pixels.
        fineness: each pixel is the mean of so many squared; edges are that smooth.
    """

    def __init__(self, height: int, width: int, fineness: int = 3) -> None:
        self._fineness = fineness
        self._image = Image.new("L", (width * fineness, height * fineness), 0)

    def fill(self, outline: NDArray[np.float64] | Sequence[tuple[float, float]], level: int) -> None:
        """Fill ``outline``, (n, 2) as x and y in pixels from the upper left corner, with gray ``level`` 0..255."""
        points = (np.asarray(outline, np.float64) * self._fineness).ravel().tolist()
        ImageDraw.Draw(self._image).polygon(points, fill=level)

    def copy(self) -> Canvas:
        """A canvas with the same picture, to go on with."""
        other = Canvas(1, 1, self._fineness)
        other._image = self._image.copy()
        return other

    def pixels(self) -> NDArray[np.uint8]:
        """(height, width)."""
        return np.asarray(self._image.reduce(self._fineness))
