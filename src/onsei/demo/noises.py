"""The demo's corpus of sounds: ten kinds in files, with manifests for training, validation and an honest test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onsei.audio import io
from onsei.data import manifest
from onsei.data.row import Row
from onsei.demo.sounds import KINDS, RATE, SECONDS, Dice, make
from onsei.errors import DataError
from onsei.paths import write_text, written_aside

_MARK = "sounds.json"


@dataclass(frozen=True)
class Sounds:
    """Where the corpus lies."""

    train: Path
    """Manifest: pitches and paces of training."""
    val: Path
    """Manifest: others of the same bands."""
    test: Path
    """Manifest: pitches and paces that training never had."""


def make_sounds(folder: Path, seed: int = 0, *, train: int = 30, val: int = 6, test: int = 20) -> Sounds:
    """Make sounds and manifests in ``folder``; the same seed gives the same bytes. What is there of it is kept.

    Args:
        folder: new, empty, or an earlier corpus of the demo, which is replaced where seed or size differ.
        seed: of everything that is drawn.
        train, val, test: clips of each kind.

    Raises:
        DataError: ``folder`` holds something else.
    """
    counts = {"train": train, "val": val, "test": test}
    mark = json.dumps({"seed": seed, **counts, "kinds": list(KINDS), "made_by": "onsei demo"})
    found = Sounds(*(folder / f"{part}.jsonl" for part in counts))
    if folder.exists():
        there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else [folder.name]
        if there and _MARK not in there:
            raise DataError(
                f"{folder}: holds files that are not the demo's sounds, such as {there[0]}; nothing was touched",
                "choose a new or empty folder",
            )
        if there and (folder / _MARK).read_text(encoding="utf-8") == mark:
            return found
    with written_aside(folder) as aside:
        for number, (part, count) in enumerate(counts.items()):
            manifest.write(aside / f"{part}.jsonl", _rows(aside / "audio", part, count, (seed, number)))
        write_text(aside / _MARK, mark)
    return found


def _rows(folder: Path, part: str, count: int, seed: tuple[int, int]) -> Iterator[Row]:
    for k, kind in enumerate(KINDS):
        for n in range(count):
            name = f"{part}-{kind}-{n:02}"
            samples = make(kind, Dice(np.random.default_rng((*seed, k, n)), part == "test"))
            io.save(folder / f"{name}.wav", samples, RATE)
            yield Row(id=name, audio=folder / f"{name}.wav", duration=SECONDS, label=kind)
