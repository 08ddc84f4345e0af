"""The verb `sketch`: songs to tokens on disk, and manifests that name them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from onsei.data import manifest as manifests
from onsei.data.manifest import Manifest
from onsei.data.progress import tracked
from onsei.data.row import Row
from onsei.errors import ConfigError, DataError, ModelError, OnseiError
from onsei.systems.song.config.sketch import Sketch
from onsei.systems.song.sketch.codebook import Codebook
from onsei.systems.song.sketch.embedding import open_embedding
from onsei.systems.song.sketch.frames import FRAME_RATE, HOP, Embedding, embedded, sound_of
from onsei.systems.song.sketch.tokens import SKETCH, Tokens, content_of, name_of

FOLDER = "sketches"
"""Folder of the tokens' files."""
PATHS = ("prompt_wav",)
"""Further keys of rows that are paths relative to the manifest."""


def sketch(options: Sketch) -> None:
    """Write the tokens of every row, and the manifests again with their files.

    Raises:
        ModelError: no codebook, or another embedding than the codebook's.
        DataError: a manifest that cannot be read, or manifests are there already.
        ConfigError: a codec that has not 25 latents a second.
    """
    if options.sample_rate != options.hop * FRAME_RATE:
        rate = options.sample_rate / options.hop
        raise ConfigError(f"--hop {options.hop}: {rate:g} latents a second, sketches have {FRAME_RATE}", "mend --hop")
    targets = [options.output_dir / path.name for path in options.manifests]
    if len(set(targets)) < len(targets):
        raise ConfigError("two manifests of one name", "sketch them to two folders")
    for path, target in zip(options.manifests, targets, strict=True):
        if path.resolve() == target.resolve():
            raise ConfigError(f"{path}: would be overwritten by itself", "name another --output-dir")
    manifests.refuse_existing(targets, options.force)
    opened = [Manifest.open(path) for path in options.manifests]
    codebook = Codebook.load(options.codebook, random=options.random_codebook)
    embedding = open_embedding(options.embedding or codebook.embedding, options.device)
    codebook.check_embedding(embedding.fingerprint, options.embedding or codebook.embedding)
    told: Counter[str] = Counter()
    for source, target in zip(opened, targets, strict=True):
        manifests.write(target, _rows(source, codebook, embedding, options, told))
        print(
            f"{target}: {told['rows']} rows, {told['made']} sketches made, {told['kept']} kept, {told['lost']} left out"
        )
        if not told["rows"]:
            target.unlink()
            raise DataError(f"{source.path}: no song could be read", "see the lines above")
        told.clear()


def _rows(
    source: Manifest, codebook: Codebook, embedding: Embedding, options: Sketch, told: Counter[str]
) -> Iterator[Row]:
    fingerprint = codebook.fingerprint
    for number in tracked("sketching", range(len(source))):
        try:
            row = source[number]
            path = _sketched(row, codebook, fingerprint, embedding, options, told)
        except OnseiError as error:
            told["lost"] += 1
            print(f"left out: {source.place(number)}: {error.message}")
            continue
        told["rows"] += 1
        moved = {key: _moved(row.extra[key], source.folder, options.output_dir) for key in PATHS if key in row.extra}
        yield replace(row, extra={**row.extra, **moved, SKETCH: f"{FOLDER}/{path.name}"})


def _sketched(
    row: Row, codebook: Codebook, fingerprint: str, embedding: Embedding, options: Sketch, told: Counter[str]
) -> Path:
    """The file of the row's tokens, made where it is not there or damaged."""
    content = content_of(row)
    samples = sound_of(row, options.sample_rate, options.hop)
    path = options.output_dir / FOLDER / name_of(content, fingerprint, len(samples) // HOP)
    if _whole(path, fingerprint):
        told["kept"] += 1
        return path
    tokens = codebook.tokens(embedded(samples, embedding))
    Tokens(tokens, fingerprint, content, row.offset or 0.0).save(path)
    told["made"] += 1
    return path


def _whole(path: Path, fingerprint: str) -> bool:
    if not path.exists():
        return False
    try:
        Tokens.load(path, fingerprint)
    except ModelError:
        return False
    return True


def _moved(named: object, source: Path, target: Path) -> str:
    """A path relative to the folder ``source``, relative to ``target``."""
    return Path(os.path.relpath(source / str(named), target)).as_posix()
