"""Row → item → batch, for speech with translations and for pictures with captions.

B batch, U units, T samples, L tokens, S pixels of a side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from onsei.data.loader import Draw, Fault, Loader
from onsei.data.manifest import Manifest
from onsei.data.memory import Memory
from onsei.data.row import Row
from onsei.data.sampler import BucketSampler
from onsei.errors import DataError
from onsei.systems.translation.config.ground import UnitAugment
from onsei.systems.translation.config.train import Parallel
from onsei.systems.translation.ground.data import padded, seen, table_rows
from onsei.systems.translation.ground.rows import Encoded, as_durations
from onsei.systems.translation.stock.bart import Tokens
from onsei.vision.images import Transform


@dataclass(frozen=True)
class Item:
    """What is to be translated, and into what."""

    id: str
    source: Tensor
    """Rows of the embedding table, (U,); sound at 16 kHz, (T,); or a picture, uint8 (3, S, S)."""
    text: str


@dataclass(frozen=True)
class Batch:
    """Items, padded."""

    ids: tuple[str, ...]
    source: Tensor
    """Rows of the embedding table, (B, U), or sounds, (B, T), zeros beyond the ends; pictures, uint8 (B, 3, S, S)."""
    lengths: Tensor
    """Units or samples of each clip, (B,), on the CPU; of pictures 1."""
    labels: Tensor
    """Tokens of the translations, (B, L), -100 beyond their ends."""
    faults: tuple[Fault, ...] = ()

    @property
    def size(self) -> int:
        """Number of tokens: the loss is a mean over them."""
        return int((self.labels >= 0).sum())

    def to(self, device: torch.device, *, non_blocking: bool = False) -> Self:
        """The same batch on another device; lengths stay where masks are made."""
        names = ("source", "labels")
        return replace(self, **{name: getattr(self, name).to(device, non_blocking=non_blocking) for name in names})


@dataclass(frozen=True)
class Preparation:
    """What is done with a row of speech; a pure function of row and draw."""

    count: int
    """Number of units."""
    most: int
    """Units of a clip that are read."""
    augment: UnitAugment | None = None
    """None for validation."""

    def __call__(self, row: Row, draw: Draw) -> Item:
        """Units and translation of ``row``.

        Raises:
            DataError: the row cannot be used; the run goes on without it.
        """
        return Item(row.id, table_rows(row, self.count, self.most, self.augment, draw), text_of(row))


@dataclass(frozen=True)
class Seen:
    """What is done with a row of a picture and its caption."""

    transform: Transform
    memory: Memory[Path, Tensor] = field(default_factory=lambda: Memory(0))

    def __call__(self, row: Row, draw: Draw) -> Item:
        """Picture and caption of ``row``.

        Raises:
            DataError: the row cannot be used; the run goes on without it.
        """
        if row.image is None:
            raise DataError(f"{row.id}: the row has no image", "give it the key `image`")
        return Item(row.id, seen(row.image, self.transform, self.memory), text_of(row))


def text_of(row: Row) -> str:
    """The translation of a row.

    Raises:
        DataError: it has none, or an empty one.
    """
    if not (row.text or "").strip():
        found = "no text" if row.text is None else "an empty text"
        raise DataError(f"{row.id}: the row has {found}", "give it a translation, or leave it out")
    return (row.text or "").strip()


def collate(items: Sequence[Item], faults: Sequence[Fault], tokens: Tokens, longest: int) -> Batch:
    """A batch of items."""
    labels = tokens.encode([item.text for item in items], longest)
    pictures = bool(items) and items[0].source.ndim == 3
    if pictures:
        source, lengths = torch.stack([item.source for item in items]), torch.ones(len(items), dtype=torch.long)
    else:
        source, lengths = padded([item.source for item in items])
    return Batch(tuple(item.id for item in items), source, lengths, labels, tuple(faults))


def source(
    encoded: Encoded,
    preparation: Preparation,
    tokens: Tokens,
    longest: int,
    options: Parallel,
    *,
    seed: int,
    training: bool,
) -> Loader[Item, Batch]:
    """Batches of speech with translations: of like length, shuffled for training."""
    sampler = BucketSampler(
        as_durations(encoded, preparation.most),
        batch_seconds=options.batch_units,
        batch_size=options.batch_size,
        seed=seed,
        shuffle=training,
    )
    join = partial(collate, tokens=tokens, longest=longest)
    return Loader(encoded.manifest, sampler, preparation, join, workers=options.num_workers, seed=seed)


def pictures(
    manifest: Manifest,
    preparation: Seen,
    tokens: Tokens,
    longest: int,
    options: Parallel,
    *,
    seed: int,
) -> Loader[Item, Batch]:
    """Batches of pictures with captions, shuffled."""
    durations = np.ones(len(manifest), dtype=np.float32)
    sampler = BucketSampler(durations, batch_seconds=None, batch_size=options.batch_size, seed=seed)
    join = partial(collate, tokens=tokens, longest=longest)
    return Loader(manifest, sampler, preparation, join, workers=options.num_workers, seed=seed)
