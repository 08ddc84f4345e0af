"""Row → item → batch, for sounds with translations, where the acoustic model learns too.

B batch, T samples, L tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from onsei.audio import io
from onsei.data.durations import known_durations
from onsei.data.loader import Draw, Fault, Loader
from onsei.data.manifest import Manifest
from onsei.data.row import Row
from onsei.data.sampler import BucketSampler
from onsei.errors import DataError
from onsei.systems.translation.config.train import Parallel
from onsei.systems.translation.stock.bart import Tokens
from onsei.systems.translation.translator.data import text_of
from onsei.units.spectral import RATE, WINDOW


@dataclass(frozen=True)
class Item:
    """What is to be translated, and into what."""

    id: str
    samples: NDArray[np.float32]
    """At 16 kHz, (T,)."""
    text: str


@dataclass(frozen=True)
class Batch:
    """Items, padded."""

    ids: tuple[str, ...]
    samples: Tensor
    """At 16 kHz, (B, T), zeros beyond the ends."""
    lengths: Tensor
    """Samples of each sound, (B,), on the CPU."""
    labels: Tensor
    """Tokens of the translations, (B, L), -100 beyond their ends."""
    faults: tuple[Fault, ...] = ()

    @property
    def size(self) -> int:
        """Number of tokens: the loss is a mean over them."""
        return int((self.labels >= 0).sum())

    def to(self, device: torch.device, *, non_blocking: bool = False) -> Self:
        """The same batch on another device; lengths stay where masks are made."""
        names = ("samples", "labels")
        return replace(self, **{name: getattr(self, name).to(device, non_blocking=non_blocking) for name in names})


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
        return Item(row.id, samples, text_of(row))


def collate(items: Sequence[Item], faults: Sequence[Fault], tokens: Tokens, longest: int) -> Batch:
    """A batch of items."""
    lengths = torch.tensor([len(item.samples) for item in items], dtype=torch.long)
    samples = torch.zeros(len(items), int(lengths.max()) if items else 1)
    for row, item in zip(samples, items, strict=True):
        row[: len(item.samples)] = torch.from_numpy(item.samples)
    labels = tokens.encode([item.text for item in items], longest)
    return Batch(tuple(item.id for item in items), samples, lengths, labels, tuple(faults))


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
