"""Windows of a fixed number of frames: every place of every clip, as rows of a manifest.

T frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from onsei.data import manifest as manifests
from onsei.data.manifest import Manifest
from onsei.data.row import Row
from onsei.errors import DataError
from onsei.systems.articulation.data.batches import START
from onsei.systems.articulation.data.prepared import load_array, video_of


def expanded(manifest: Manifest, window: int, target: Path) -> Manifest:
    """The windows of all clips of ``manifest``, written to ``target``; rows that are windows already stay.

    Raises:
        DataError: no clip is as long as a window.
    """
    if all(isinstance(row.extra.get(START), int) for row in manifest):
        return manifest
    manifests.write(target, (row for clip in manifest for row in windows(clip, window)))
    made = Manifest.open(target) if target.stat().st_size else None
    if made is None or not len(made):
        raise DataError(f"{manifest.path}: no clip has {window} frames", "choose a smaller model.window")
    return made


def windows(row: Row, window: int, step: int = 1) -> Iterator[Row]:
    """The windows of a clip, each a row with the frame it begins at."""
    if isinstance(row.extra.get(START), int):
        yield row
        return
    total = len(load_array(video_of(row), "pictures", 3))
    seconds = (row.duration or 0.0) / total
    for start in range(0, total - window + 1, step):
        yield replace(
            row, id=f"{row.id}@{start}", duration=round(seconds * window, 6), extra={**row.extra, START: start}
        )
