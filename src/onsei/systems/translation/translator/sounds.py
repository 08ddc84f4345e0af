"""Row → item → batch, for sounds with translations, where the acoustic model learns too."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch

from onsei.audio import io
from onsei.data.durations import known_durations
from onsei.data.loader import Draw, Loader
from onsei.data.manifest import Manifest
from onsei.data.row import Row
from onsei.data.sampler import BucketSampler
from onsei.errors import DataError
from onsei.systems.translation.config.train import Parallel
from onsei.systems.translation.stock.bart import Tokens
from onsei.systems.translation.translator.data import Batch, Item, collate, text_of
from onsei.units.spectral import RATE, WINDOW


@dataclass(frozen=True)
class Preparation:
    """What is done with a row: it is read at 16 kHz."""

    longest: float
    """Seconds of a sound, at most."""

    def __call__(self, row: Row, draw: Draw) -> Item:
        """Sound and translation of ``row``.

        Raises:
            AudioError, DataError: the row cannot be used; the run goes on without it.
        """
        if row.audio is None:
            raise DataError(f"{row.id}: the row has no audio", "give it the key `audio`")
        offset, span = row.segment
        seconds = span if span is not None else io.info(row.audio).duration - offset
        if seconds > self.longest:
            raise DataError(
                f"{row.id}: {seconds:.1f} s, at most {self.longest:g} are taken", "cut it, or --max-seconds"
            )
        samples, _ = io.load(row.audio, RATE, offset=offset, duration=span, channel=row.channel)
        if len(samples) < WINDOW:
            raise DataError(f"{row.id}: {len(samples) / RATE:.3f} s are too short for a frame", "leave it out")
        return Item(row.id, torch.from_numpy(samples), text_of(row))


def source(
    manifest: Manifest, tokens: Tokens, longest: int, options: Parallel, *, seed: int, training: bool
) -> Loader[Item, Batch]:
    """Batches of sounds of like length with translations, shuffled for training."""
    sampler = BucketSampler(
        known_durations(manifest),
        batch_seconds=options.batch_seconds,
        batch_size=options.batch_size,
        seed=seed,
        shuffle=training,
    )
    join = partial(collate, tokens=tokens, longest=longest)
    return Loader(manifest, sampler, Preparation(options.max_seconds), join, workers=options.num_workers, seed=seed)
