"""Manifest row → latents, sketch tokens, lyrics and prompt → batch.

F frames, Z latent channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from onsei.audio import io
from onsei.data.loader import Draw, Fault, Loader
from onsei.data.manifest import Manifest
from onsei.data.memory import Memory
from onsei.data.row import Row, resolve_path
from onsei.data.sampler import BucketSampler
from onsei.errors import ConfigError, DataError, ModelError
from onsei.systems.song.config import Network
from onsei.systems.song.config.train import Data
from onsei.systems.song.data.batches import Batch, Item, Piece, collated
from onsei.systems.song.data.latents import Array, Latents
from onsei.systems.song.data.mixing import mixed, pieces
from onsei.systems.song.layout import Layout, lay_out
from onsei.systems.song.model import Lyrics, Prompt
from onsei.systems.song.sketch import tokens
from onsei.systems.song.sketch.codebook import check_same
from onsei.systems.song.sketch.frames import FRAME_RATE
from onsei.text import lyrics
from onsei.text.phones import Phones

PROMPT = "prompt_wav"
"""Key of rows: a sound whose voice the song has, relative to the manifest."""
_KEPT = 256 * 2**20
"""Bytes of latents that a process keeps for the next epochs."""


@dataclass(frozen=True)
class Known:
    """What is read of a row once: it is the same in every epoch."""

    layout: Layout
    tokens: torch.Tensor
    song: tuple[Array, Array]
    """Mean and deviation of its latents, whole blocks, each (F, Z)."""
    prompt: tuple[Array, Array]
    pieces: tuple[Piece, ...] = ()


@dataclass(frozen=True)
class Preparation:
    """What a worker does with a row; a pure function of row and draw.

    Args:
        folder: of the manifest, for relative paths.
        network: sizes.
        phones: the table of symbols.
        latents: of sounds.
        codebook: fingerprint that the tokens must have; empty: any.
        longest: seconds of a row at most.
    """

    folder: Path
    network: Network
    phones: Phones
    latents: Latents
    codebook: str
    longest: float
    memory: Memory[str, Known] = field(default_factory=lambda: Memory(_KEPT))

    def __call__(self, row: Row, draw: Draw) -> Item:
        """The song of ``row``; a last block that is not whole is left off.

        Raises:
            DataError: the row cannot be used; the run goes on without it.
            ModelError: its tokens are of another codebook.
            ConfigError: they are more than the network knows.
        """
        known = self.memory.get(row.id)
        if known is None:
            known = self._known(row)
            self.memory.keep(row.id, known, sum(part.nbytes for part in (*known.song, *known.prompt)))
        song = _drawn(known.song, draw, "song")
        prompt = _drawn(known.prompt, draw, "prompt")
        chance = 0 if draw is None else int(draw.generator("mix").integers(2**31))
        return Item(
            known.layout,
            torch.from_numpy(prompt),
            known.tokens,
            torch.from_numpy(song.T.copy()),
            pieces=known.pieces,
            voice=row.speaker or "",
            chance=chance,
        )

    def _known(self, row: Row) -> Known:
        """Errors as for ``__call__``."""
        layout = self._layout(row)
        try:
            told = tokens.of_row(row, self.folder, "")
        except ModelError as error:  # of this row's file, not of the run
            raise DataError(error.message, "make it again: `onsei song sketch`") from None
        if self.codebook:
            check_same(self.codebook, told.codebook, row.id)
        top = int(told.values.max(initial=0))
        if top >= self.network.num_pitch:
            raise ConfigError(
                f"network.num_pitch: {self.network.num_pitch}, but row {row.id} has the sketch token {top}",
                "give the number of codes of the codebook",
                ["network.num_pitch"],
            )
        song = self.latents(row)
        have = len(song[0])
        if have != len(told.values) or abs(told.offset - (row.offset or 0.0)) > 0.5 / FRAME_RATE:
            raise DataError(
                f"{row.id}: {len(told.values)} sketch tokens from {told.offset:g} s on, but {have} latents from "
                f"{row.offset or 0:g} s on",
                "make the tokens again: `onsei song sketch`, with the codec's --sample-rate and --hop",
            )
        if have > self.longest * FRAME_RATE:
            raise DataError(
                f"{row.id}: {have / FRAME_RATE:.1f} s, longer than {self.longest:g}",
                f"`onsei song prepare --max-duration {self.longest:g}` cuts it between sentences",
            )
        size = self.network.block_size
        frames = have // size * size
        if not frames:
            raise DataError(f"{row.id}: {have} frames, less than a block of {size}", "leave it out")
        prompt, none = self.prompt_of(row), np.zeros((0, self.network.latent_dim), np.float32)
        voice = (none, none) if prompt is None else self.latents(prompt)
        mean, deviation = (np.array(part[:frames]) for part in song)
        sketch = torch.from_numpy(told.values[:frames]).long()
        return Known(layout, sketch, (mean, deviation), voice, pieces(row, frames))

    def prompt_of(self, row: Row) -> Row | None:
        """The part of the row's prompt that the network sees, as a row; None without one.

        Raises:
            DataError, AudioError: it cannot be read.
        """
        named = row.extra.get(PROMPT)
        if not isinstance(named, str) or not named:
            return None
        path = resolve_path(named, self.folder)
        seconds = min(io.info(path).duration, self.network.prompt_len / FRAME_RATE)
        return Row(f"{row.id}, prompt", path, seconds, offset=0.0)

    def sounds(self, manifest: Manifest) -> Iterator[Row]:
        """All sounds of a manifest whose latents are needed; rows that cannot be read are passed over."""
        for number in range(len(manifest)):
            try:
                row = manifest[number]
                yield row
                prompt = self.prompt_of(row)
            except (DataError, OSError):
                continue
            if prompt is not None:
                yield prompt

    def _layout(self, row: Row) -> Layout:
        """The lyrics of a row, from its symbols, else from its text."""
        symbols = row.extra.get("symbols")
        try:
            if isinstance(symbols, str):
                told = lyrics.from_symbols(symbols, row.id)
            else:
                told = lyrics.phonemes(lyrics.parse(row.text or "", row.id))
            layout = lay_out(told.symbols, self.phones, self.network.lyrics_len)
        except ConfigError as error:  # of this row, not of the run
            raise DataError(f"{row.id}: {error.message}", "mend its lyrics") from None
        if layout.cut:
            places = self.network.lyrics_len
            raise DataError(
                f"{row.id}: {places + layout.cut} symbols, the network reads {places}",
                "`onsei song prepare` cuts such songs between sentences",
            )
        return layout


def _drawn(latents: tuple[Array, Array], draw: Draw, purpose: str) -> Array:
    """Latents (F, Z), drawn anew in every epoch as the codec's deviation says."""
    mean, deviation = latents
    if not deviation.any():
        return np.array(mean)
    noise = draw.generator(purpose).standard_normal(mean.shape, np.float32)
    drawn: Array = mean + deviation * noise
    return drawn


@dataclass(frozen=True)
class Collation:
    """Items to a batch, for workers."""

    network: Network
    phones: Phones
    mix: float = 0.0
    """Share of songs that are put together of syllables of several."""

    def __call__(self, items: Sequence[Item], faults: Sequence[Fault]) -> Batch:
        """Pad items to the longest."""
        if items:
            sung = mixed(items, self.mix, self.phones, self.network.lyrics_len) if self.mix else items
            return collated(sung, self.network, tuple(faults))
        none = torch.zeros(0, dtype=torch.long)
        empty = Lyrics.none(1), Prompt.none(1, self.network.latent_dim), none[:, None], torch.zeros(0, 1, 1), none
        return Batch(*empty, none.bool(), tuple(faults))


def source(
    manifest: Manifest, preparation: Preparation, options: Data, *, seed: int, training: bool
) -> Loader[Item, Batch]:
    """Batches of ``manifest``, songs of like length together; in a new order every epoch in training."""
    durations = np.nan_to_num(np.asarray(manifest.durations, np.float32), nan=options.max_duration)
    sampler = BucketSampler(durations, batch_seconds=None, batch_size=options.batch_size, seed=seed, shuffle=training)
    preparation = replace(preparation, folder=manifest.folder, memory=Memory(_KEPT))
    collate = Collation(preparation.network, preparation.phones, options.mix if training else 0.0)
    return Loader(manifest, sampler, preparation, collate, workers=options.num_workers, seed=seed)
