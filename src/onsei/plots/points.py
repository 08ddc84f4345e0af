"""Points of a curve: what the rows of metrics.jsonl hold under a key, thinned without losing spikes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = tuple[NDArray[np.float64], NDArray[np.float64]]
"""x and y of a curve, each of shape (N,)."""


def points(rows: Iterable[Mapping[str, Any]], key: str, x: str = "step") -> Points:
    """Finite numbers under ``key`` over those under ``x``, in the rows' order; rows without either are left out."""
    found = [(row[x], row[key]) for row in rows if _number(row.get(x)) and _number(row.get(key))]
    pairs = np.array(found, np.float64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def thin(curve: Points, limit: int = 1000) -> Points:
    """At most ``limit`` points of ``curve``: of each stretch the first, lowest, highest and last, so spikes stay."""
    x, y = curve
    if len(x) <= limit:
        return curve
    edges = np.linspace(0, len(x), max(1, limit // 4) + 1).astype(int)
    kept: list[int] = []
    for start, end in pairwise(edges.tolist()):
        part = y[start:end]
        kept += sorted({int(start), int(start + part.argmin()), int(start + part.argmax()), int(end - 1)})
    return x[kept], y[kept]


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
