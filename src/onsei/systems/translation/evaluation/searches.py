"""A semantic core on a manifest of pairs: recall both ways, and that of pairs drawn by chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onsei.data.manifest import Manifest
from onsei.errors import DataError
from onsei.metrics.retrieval import permutation_p, retrieval, shuffled
from onsei.systems.translation.config.evaluate import Evaluate
from onsei.systems.translation.ground.core import Core
from onsei.systems.translation.ground.rows import units_of

_WAYS = {"s2i": "speech to image", "i2s": "image to speech"}


@dataclass(frozen=True)
class Searched:
    """Similarities of clips and pictures, and which belong together."""

    similarity: NDArray[np.float32]
    """(clips, pictures)."""
    own: NDArray[np.bool_]
    """(clips, pictures)."""


def searched(core: Core, manifest: Manifest) -> Searched:
    """Hold the clips of a manifest against its pictures, each of which counts once.

    Raises:
        DataError: no row has units and a picture.
    """
    rows = [(units_of(row), row.image) for row in manifest if row.image is not None]
    if not rows:
        raise DataError(f"{manifest.path}: no row has an image", "give rows the key `image`")
    paths = list(dict.fromkeys(path for _, path in rows if path is not None))
    place = {path: number for number, path in enumerate(paths)}
    speech, pictures = core.speech(units for units, _ in rows), core.pictures(paths)
    own = np.zeros((len(rows), len(paths)), dtype=bool)
    for number, (_, path) in enumerate(rows):
        own[number, place[path]] = True
    return Searched(speech @ pictures.T, own)


def numbers(found: Searched, options: Evaluate) -> dict[str, float | str]:
    """All numbers by name; rates in percent."""
    values: dict[str, float | str] = {"clips": found.similarity.shape[0], "pictures": found.similarity.shape[1]}
    for way, similarity, own in (("s2i", found.similarity, found.own), ("i2s", found.similarity.T, found.own.T)):
        one = retrieval(similarity, own)
        for k, value in one.recall.items():
            values[f"{way}_r{k}"] = value
            values[f"{way}_r{k}_chance"] = _chance(own, k)
        values[f"{way}_median_rank"] = one.median_rank
        if similarity.shape[0] == similarity.shape[1] and (own.sum(1) == 1).all():
            square = similarity[:, own.argmax(1)]
            values[f"{way}_r10_shuffled"] = float(shuffled(square, 10, options.draws, options.seed).mean())
            values[f"{way}_r10_p"] = permutation_p(square, 10, options.draws, options.seed)
    values["recall"] = float(np.mean([float(values[f"{way}_r{k}"]) for way in _WAYS for k in (1, 5, 10)]))
    return values


def _chance(own: NDArray[np.bool_], k: int) -> float:
    """Recall at k of a random order, in percent, also where a query has several things of its own."""
    things = own.shape[1]
    miss = np.ones(len(own))
    for place in range(min(k, things)):
        miss *= np.clip((things - own.sum(1) - place) / (things - place), 0, 1)
    return 100 * float(np.mean(1 - miss))
