"""From the manifests that are given to those that training reads: held out, sketched, of one codebook."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from onsei.data import manifest as manifests
from onsei.data.manifest import Manifest
from onsei.data.row import Row
from onsei.data.split import Part, split
from onsei.errors import ConfigError, DataError, OnseiError
from onsei.systems.song.config import Codec, Sketch
from onsei.systems.song.config.train import Train
from onsei.systems.song.data.corpora import RECORDING
from onsei.systems.song.data.source import PROMPT
from onsei.systems.song.sketch.codebook import Codebook, check_size
from onsei.systems.song.sketch.extract import sketch
from onsei.systems.song.sketch.tokens import SKETCH, Tokens, of_row

FOLDER = "data"
"""Folder of the run that holds the manifests made here."""


@dataclass(frozen=True)
class Lists:
    """Manifests of a run."""

    train: Manifest
    val: Manifest | None
    codebook: str
    """Fingerprint of the codebook of all sketch tokens."""


def gathered(options: Train, codec: Codec) -> Lists:
    """Open the manifests; hold rows out, and make sketch tokens, where that is asked for.

    Raises:
        ConfigError: no manifest, or the codebook has another size than the network.
        DataError: a manifest cannot be read; rows without tokens, and no codebook to make them.
        ModelError: no codebook.
    """
    if options.train_manifest is None:
        raise ConfigError("train_manifest: required, but not given", "--train-manifest PATH", ["train_manifest"])
    paths = [options.train_manifest, *([options.val_manifest] if options.val_manifest is not None else [])]
    folder = options.output_dir / FOLDER
    if options.val_manifest is None and options.data.val_split:
        paths = _held_out(Manifest.open(options.train_manifest), options, folder / "split")
    codebook = options.sketch.codebook
    if codebook is None:
        found = [Manifest.open(path) for path in paths]
        return Lists(found[0], found[1] if len(found) > 1 else None, _told(found[0]))
    opened = Codebook.load(codebook)
    check_size(opened, options.network.num_pitch)
    if not all(_sketched(Manifest.open(path)) for path in paths):
        sketch(
            Sketch(
                codebook,
                tuple(paths),
                folder,
                embedding=options.sketch.muq_model,
                sample_rate=codec.sample_rate,
                hop=codec.hop,
                device=options.sketch.muq_device,
                force=True,  # a run that goes on finds its own
            )
        )
        paths = [folder / path.name for path in paths]
    found = [Manifest.open(path) for path in paths]
    return Lists(found[0], found[1] if len(found) > 1 else None, opened.fingerprint)


def _held_out(manifest: Manifest, options: Train, folder: Path) -> list[Path]:
    by = RECORDING if all(RECORDING in row.extra for row in manifest.readable()) else None
    parts = split(manifest, options.data.val_split, seed=options.training.seed, by=by)
    found = []
    for name in ("train", "val"):
        target = folder / f"{name}.jsonl"
        manifests.write(target, _rows(manifest, parts[name], folder))
        found.append(target)
    return found


def _rows(manifest: Manifest, part: Part, folder: Path) -> Iterator[Row]:
    for number in part.tolist():
        row = manifest[number]
        moved = {
            key: Path(os.path.relpath(manifest.folder / str(row.extra[key]), folder)).as_posix()
            for key in (PROMPT, SKETCH)
            if key in row.extra
        }
        yield replace(row, extra={**row.extra, **moved})


def _sketched(manifest: Manifest) -> bool:
    """Whether rows name their tokens; the first one that can be read tells."""
    return any(SKETCH in row.extra for row in _first(manifest))


def _told(manifest: Manifest) -> str:
    """The fingerprint that the tokens of the first usable row have."""
    for row in manifest.readable():
        if SKETCH not in row.extra:
            break
        try:
            found: Tokens = of_row(row, manifest.folder, "")
        except OnseiError:
            continue
        return found.codebook
    raise DataError(
        f"{manifest.path}: no sketch tokens",
        "make them: `onsei song sketch CODEBOOK MANIFEST`, or give --codebook FILE",
    )


def _first(manifest: Manifest) -> Iterator[Row]:
    for row in manifest.readable():
        yield row
        return
