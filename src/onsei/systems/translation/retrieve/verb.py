"""The verb `retrieve`: the nearest pictures to what is said."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from onsei.data.manifest import Manifest, refuse_existing
from onsei.errors import ConfigError, DataError
from onsei.paths import written_aside
from onsei.systems.translation.config.retrieve import Retrieve
from onsei.systems.translation.ground.core import Core
from onsei.systems.translation.ground.hearing import Hearing, sounds_of
from onsei.systems.translation.ground.rows import units_of
from onsei.systems.translation.retrieve.gallery import Gallery, open_gallery
from onsei.systems.translation.retrieve.index import Index, open_index
from onsei.vision import images

_CELL = 160
_NEAREST = 5
"""Neighbors whose captions make a translation by example."""


@dataclass(frozen=True)
class Query:
    """A clip by its name."""

    name: str
    units: NDArray[np.int64]


def retrieve(options: Retrieve) -> None:
    """Print rank, score and file of the nearest pictures to each sound; write and show a sheet where asked."""
    options, sounds = _sorted_out(options)
    assert options.semantic_model is not None
    assert options.image_gallery_dir is not None
    if options.sheet is not None:
        refuse_existing([options.sheet], options.force)
    core = Core.load(options.semantic_model, options.device)
    gallery = open_gallery(options.image_gallery_dir, options.captions)
    queries = list(_queries(options, core, sounds))
    index = open_index(core, gallery, refresh=options.refresh)
    print(f"onsei: {index.note}", file=sys.stderr)
    for fault in index.unreadable[:5]:
        print(f"onsei: left out: {fault}", file=sys.stderr)
    if len(index.unreadable) > 5:
        print(f"onsei: left out: {len(index.unreadable)} pictures in all", file=sys.stderr)
    vectors = core.speech([query.units for query in queries])
    found = [index.nearest(vector, options.top_k) for vector in vectors]
    for query, best in zip(queries, found, strict=True):
        _print(query, best, index, gallery, options)
    if options.sheet is not None or options.show:
        _sheet(options, gallery, found)


def by_example(index: Index, gallery: Gallery, vector: NDArray[np.float32], nearest: int = _NEAREST) -> str:
    """A translation without a translator: of the captions of the nearest pictures the one that is likest the others.

    Where it stands alone it is the first caption of the nearest picture.
    """
    texts: list[tuple[str, float]] = []
    for number, score in index.nearest(vector, nearest):
        texts += [(text, score) for text in gallery.captions_of(number)[:1]]
    if not texts:
        return ""
    words = [Counter(text.lower().split()) for text, _ in texts]

    def likeness(place: int) -> float:
        shared = [
            2 * sum((words[place] & other).values()) / max(1, words[place].total() + other.total())
            for n, other in enumerate(words)
            if n != place
        ]
        return float(np.mean(shared)) if shared else 0.0

    best = max(range(len(texts)), key=lambda n: (round(likeness(n) + texts[n][1], 6), -n))
    return texts[best][0]


def _sorted_out(options: Retrieve) -> tuple[Retrieve, list[str]]:
    words = list(options.words)
    model = options.semantic_model or (Path(words.pop(0)) if words else None)
    sounds = [*words, *([str(options.query_audio_file)] if options.query_audio_file else [])]
    if model is None:
        raise ConfigError("which semantic core?", "give its folder as the first word", ["semantic_model"])
    if options.image_gallery_dir is None:
        raise ConfigError(
            "image_gallery_dir: required, but not given", "--image-gallery-dir FOLDER", ["image_gallery_dir"]
        )
    if not sounds and options.query_manifest is None:
        raise ConfigError("which sounds?", "give sound files, or --query-manifest")
    return replace(options, semantic_model=model), sounds


def _queries(options: Retrieve, core: Core, sounds: Sequence[str]) -> Iterator[Query]:
    if options.query_manifest is not None:
        for row in Manifest.open(options.query_manifest):
            units = units_of(row)
            if len(units) and units.max() >= core.count:
                raise DataError(
                    f"{row.id}: unit {units.max()}, the core has {core.count}", "encode it with its own model"
                )
            yield Query(row.id, units)
    if sounds:
        hearing = Hearing.of(options.acoustic_model, core.about, core.count, options.device, core.folder)
        for path in sounds_of(sounds):
            yield Query(str(path), hearing(path))


def _print(query: Query, best: list[tuple[int, float]], index: Index, gallery: Gallery, options: Retrieve) -> None:
    captioned = bool(gallery.captions)
    if options.format == "json":
        rows: list[dict[str, Any]] = [
            {"rank": n, "score": round(score, 4), "image": str(gallery.paths[number])}
            | ({"captions": list(gallery.captions_of(number))} if captioned else {})
            for n, (number, score) in enumerate(best, 1)
        ]
        print(json.dumps({"audio": query.name, "images": rows}, ensure_ascii=False))
        return
    table = Table(title=query.name, title_justify="left")
    for column in ("rank", "score", "picture", *(["caption"] if captioned else [])):
        table.add_column(column, overflow="fold")
    for n, (number, score) in enumerate(best, 1):
        texts = [(gallery.captions_of(number) or ("",))[0]] if captioned else []
        table.add_row(str(n), f"{score:.3f}", str(gallery.paths[number]), *texts)
    Console().print(table)


def _sheet(options: Retrieve, gallery: Gallery, found: Sequence[Sequence[tuple[int, float]]]) -> None:
    pictures = [images.read(gallery.paths[number], _CELL) for best in found for number, _ in best]
    target = options.sheet or Path("retrieved.png")
    if options.sheet is None:
        refuse_existing([target], options.force)
    with written_aside(target) as aside:
        images.save(images.sheet(pictures, max(1, max(map(len, found))), _CELL), aside)
    print(f"{target}: a row for each sound, the nearest picture first", file=sys.stderr)
    if options.show:
        _open(target)


def _open(path: Path) -> None:
    """Show a file in the system's viewer; without a screen its path is enough."""
    program = {"darwin": ["open"], "win32": ["cmd", "/c", "start", ""]}.get(sys.platform, ["xdg-open"])
    try:
        subprocess.Popen([*program, str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except OSError:
        print(f"onsei: no viewer to open {path} with", file=sys.stderr)
