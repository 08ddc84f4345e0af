"""The verb `fit-sketch`: k-means over embedded frames, then codes that follow them, and how well they are used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from onsei.data.cache import FeatureCache
from onsei.data.manifest import Manifest
from onsei.data.permutation import Permutation
from onsei.data.progress import tracked
from onsei.data.row import Row
from onsei.errors import ConfigError, DataError, OnseiError
from onsei.paths import cache_folder, write_text
from onsei.systems.song.config.sketch import FitSketch
from onsei.systems.song.sketch.codebook import Codebook, usage, written_as
from onsei.systems.song.sketch.embedding import open_embedding
from onsei.systems.song.sketch.frames import FRAME_RATE, Embedding, embedded, sound_of
from onsei.units.quantizer import Codebook as Shape
from onsei.units.quantizer import VectorQuantizer

LEAST = 30
"""Frames for each code, at least: with fewer, codes are single frames and say nothing of other songs."""
Array = NDArray[np.float32]


def fit_sketch(options: FitSketch) -> None:
    """Write a codebook, and say how well it is used.

    Raises:
        DataError: nothing could be read, or there are fewer than 30 frames a code.
        ConfigError: a codebook is there already.
    """
    target = written_as(options.output_path)
    _check(options, target)
    embedding = open_embedding(options.embedding, options.device)
    songs = _Songs.of(options, embedding)
    print(f"{len(songs.rows)} songs, {songs.frames} frames of {embedding.width} values ({options.embedding})")
    _check_size(options, songs.frames)
    shape = Shape(
        codes=options.codes,
        code_size=min(options.code_size, embedding.width),
        whiten=options.whiten,
        cosine=options.cosine,
        decay=options.decay,
    )
    torch.manual_seed(options.seed)
    quantizer = VectorQuantizer(embedding.width, shape)
    print("codes: k-means" if options.start == "kmeans" else "codes: random; nothing is learned")
    restarted = _learn(quantizer, songs, options)
    codebook = Codebook(quantizer.eval(), options.embedding, embedding.fingerprint, options.start == "kmeans")
    codebook.save(target)
    if target != options.output_path:
        print(f"note: codebooks are no pickles here: written as {target}")
    _tell(codebook, songs, options, restarted)


@dataclass
class _Songs:
    """Embedded songs, kept on disk: one at a time is in memory."""

    rows: list[Row]
    cache: FeatureCache
    embedding: Embedding
    frames: int = 0

    @classmethod
    def of(cls, options: FitSketch, embedding: Embedding) -> _Songs:
        """Embed every song that was not embedded before; those that cannot be read are told and left out."""
        key = {"embedding": embedding.fingerprint, "kind": "sketch frames", "version": 1}
        manifest = Manifest.open(options.data_jsonl)
        songs = cls([], FeatureCache(options.cache_dir or cache_folder() / "sketch", key), embedding)
        for number in tracked("embedding", range(len(manifest))):
            try:
                row = _cropped(manifest[number], options)
                songs.frames += len(songs.get(row))
                songs.rows.append(row)
            except OnseiError as error:
                print(f"left out: {manifest.place(number)}: {error.message}")
        if not songs.rows:
            raise DataError(f"{options.data_jsonl}: no song could be read", "see the lines above")
        return songs

    def get(self, row: Row) -> Array:
        """Frames (F, D) of a song."""
        found = self.cache.get(row, lambda: self._made(row))
        return np.asarray(found, np.float32)

    def _made(self, row: Row) -> NDArray[np.float16]:
        frames = embedded(sound_of(row, 24_000, 24_000 // FRAME_RATE), self.embedding)
        return np.clip(frames, -65_000, 65_000).astype(np.float16)

    def blocks(self) -> Iterator[Array]:
        """Frames song by song."""
        for row in self.rows:
            yield self.get(row)


def _check(options: FitSketch, target: Path) -> None:
    if target.exists() and not options.force:
        raise ConfigError(f"{target}: exists already", "give --force to replace it, or name another --output-path")


def _check_size(options: FitSketch, frames: int) -> None:
    if options.codes * LEAST > frames and not options.force:
        hours = options.codes * LEAST / FRAME_RATE / 3600
        most = frames // LEAST
        raise DataError(
            f"--codes {options.codes}: the songs have {frames} frames, {frames / options.codes:.1f} for each code; "
            f"{LEAST} are needed ({hours:.2g} hours of singing)",
            f"give --codes {max(most, 1)} or fewer, more songs, or --force",
        )


def _cropped(row: Row, options: FitSketch) -> Row:
    """The row, or a part of it whose place follows from seed and id."""
    length = row.duration
    if not options.max_duration or length is None or length <= options.max_duration:
        return row
    spare = int((length - options.max_duration) * FRAME_RATE)
    random = np.random.default_rng([options.seed, *row.id.encode()])
    begin = (row.offset or 0.0) + int(random.integers(spare + 1)) / FRAME_RATE
    return replace(row, offset=begin, duration=options.max_duration)


def _learn(quantizer: VectorQuantizer, songs: _Songs, options: FitSketch) -> int:
    """Codes from k-means, then steps over songs in an order that follows from the seed; how many began anew."""
    if options.start == "random":
        torch.nn.init.normal_(quantizer.codebook)
        return 0
    quantizer.start(songs.blocks, seed=options.seed)
    restarted = 0
    for step in tracked("refining", range(options.steps)):
        picked = [
            _place(step * options.batch_size + one, len(songs.rows), options.seed) for one in range(options.batch_size)
        ]
        frames = torch.from_numpy(np.concatenate([songs.get(songs.rows[place]) for place in picked]))
        with torch.no_grad():
            units = quantizer.nearest(quantizer.projected(quantizer.normal(frames)))
        restarted += quantizer.learn(frames, units)
    return restarted


def _place(number: int, songs: int, seed: int) -> int:
    """The song that comes at the ``number``-th place: all of them in each round, in another order."""
    turn, place = divmod(number, songs)
    return int(Permutation(songs, seed + turn)(np.array([place]))[0])


def _tell(codebook: Codebook, songs: _Songs, options: FitSketch, restarted: int) -> None:
    counts = np.zeros(codebook.codes, np.int64)
    error = frames = 0.0
    with torch.no_grad():
        for block in songs.blocks():
            features = torch.from_numpy(block)
            counts += np.bincount(codebook.tokens(block), minlength=codebook.codes)
            error += float(codebook.quantizer(features[None]).error) * len(block)
            frames += len(block)
    numbers: dict[str, Any] = {
        **usage(counts),
        "unexplained_variance": 100.0 * error / max(1.0, frames),
        "frames": int(frames),
        "songs": len(songs.rows),
        "restarted": restarted,
    }
    print(
        f"{written_as(options.output_path)}: codebook {codebook.fingerprint}, {numbers['codes_used']} of "
        f"{codebook.codes} codes used ({numbers['usage']:.1f} %), perplexity {numbers['perplexity']:.1f}, "
        f"{numbers['unexplained_variance']:.1f} % of the variance left unexplained"
    )
    if options.json is not None:
        write_text(options.json, json.dumps({**numbers, "fingerprint": codebook.fingerprint}) + "\n")
