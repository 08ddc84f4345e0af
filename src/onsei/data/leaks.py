"""Leaks between the parts of a data set: the same recording, artist, speaker or sound on two sides."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations, islice

import numpy as np
import numpy.typing as npt

from onsei.data.digest import digest, sound_digest
from onsei.data.durations import THREADS
from onsei.data.manifest import Manifest
from onsei.data.progress import progress
from onsei.data.row import Row
from onsei.data.split import group_of
from onsei.errors import OnseiError

KEYS = ("recording", "artist", "speaker")
"""What no two parts should share, beside the sounds themselves."""
_CHUNK = 1024
Digests = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Leak:
    """Values of one key that two parts share."""

    key: str
    first: str
    """Name of a part."""
    second: str
    """Name of another part."""
    values: int
    """How many values are in both."""
    rows: int
    """Rows of ``second`` that have one of them."""
    example: tuple[int, int]
    """A row of each with the same value."""

    def told(self, first: str, second: str) -> str:
        """The leak in words, with names of the two example rows."""
        values = f"{self.values} {self.key}{'s' if self.values > 1 else ''}"
        same = "the very same samples" if self.key == "sound" else f"the same {self.key}"
        rows = f"{self.rows} row{'s' if self.rows > 1 else ''} of {self.second}"
        return f"{values} of {self.first} in {self.second} too ({rows}): {first} and {second} have {same}"


def leaks(parts: Mapping[str, Mapping[str, Digests]]) -> list[Leak]:
    """Values that stand in two of ``parts``: for each part and key the digests of its rows, 0 for none.

    Digests of 8 bytes: in ten million rows two different values are taken for one once in 400,000 times.
    """
    found = []
    for (first, left), (second, right) in combinations(parts.items(), 2):
        for key in left.keys() & right.keys():
            common = np.intersect1d(left[key][left[key] > 0], right[key][right[key] > 0])
            if len(common):
                rows = np.flatnonzero(np.isin(right[key], common))
                example = int(np.flatnonzero(left[key] == right[key][rows[0]])[0]), int(rows[0])
                found.append(Leak(key, first, second, len(common), len(rows), example))
    return sorted(found, key=lambda leak: (leak.first, leak.second, leak.key))


def between(manifests: Mapping[str, Manifest], *, sounds: bool = False) -> list[str]:
    """What each two of ``manifests`` share, in words.

    Args:
        manifests: by the names that the words have for them.
        sounds: decode all sounds, to find those of the same samples; what cannot be read is passed over.
    """
    parts = {name: _digests(name, manifest, sounds) for name, manifest in manifests.items()}
    return [
        leak.told(manifests[leak.first][leak.example[0]].id, manifests[leak.second][leak.example[1]].id)
        for leak in leaks(parts)
    ]


def _digests(name: str, manifest: Manifest, sounds: bool) -> dict[str, Digests]:
    found = {key: array("Q") for key in (*KEYS, *(("sound",) if sounds else ()))}
    with ThreadPoolExecutor(THREADS) as pool, progress(f"comparing {name}", len(manifest)) as advance:
        rows = iter(manifest)
        while chunk := list(islice(rows, _CHUNK)):
            for row in chunk:
                for key in KEYS:
                    value = group_of(row, key)
                    found[key].append(0 if value is None else digest(value))
            if sounds:
                found["sound"].extend(pool.map(_sound, chunk))
            advance(len(chunk), sounds or len(manifest) > 2_000)
    return {key: np.frombuffer(values, np.uint64) for key, values in found.items()}


def _sound(row: Row) -> int:
    try:
        return sound_digest(row)[0]
    except OnseiError:
        return 0
