"""Row → item → batch, for pairs of units and pictures.

B batch, U units, S pixels of a side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from onsei.data.loader import Draw, Fault, Loader
from onsei.data.manifest import Manifest
from onsei.data.memory import Memory
from onsei.data.progress import progress
from onsei.data.row import Row
from onsei.data.sampler import BucketSampler, Rows
from onsei.errors import DataError, OnseiError
from onsei.systems.translation.config.ground import UnitAugment
from onsei.systems.translation.ground.alike import BINS, AlikeSampler, clusters, histogram
from onsei.systems.translation.ground.encoder import BLANK, FIRST
from onsei.systems.translation.ground.rows import Encoded, as_durations, units_of
from onsei.vision.images import Transform

_FEWEST = 4
"""Units that dropping always leaves."""
_SHOW_FROM = 500
"""Pictures after which a bar tells how many were compared."""


@dataclass(frozen=True)
class Pair:
    """A clip's units and its picture."""

    id: str
    units: Tensor
    """Rows of the embedding table, (U,)."""
    picture: Tensor
    """uint8, (3, S, S)."""
    image: str
    """Which picture it is."""


@dataclass(frozen=True)
class Batch:
    """Pairs, padded."""

    ids: tuple[str, ...]
    units: Tensor
    """Rows of the embedding table, (B, U)."""
    lengths: Tensor
    """Units of each clip, (B,), on the CPU."""
    pictures: Tensor
    """uint8, (B, 3, S, S)."""
    same: Tensor
    """Whether rows have the same picture, (B, B)."""
    faults: tuple[Fault, ...] = ()

    @property
    def size(self) -> int:
        """Number of pairs."""
        return len(self.ids)

    def to(self, device: torch.device, *, non_blocking: bool = False) -> Self:
        """The same batch on another device; lengths stay where masks are made."""
        names = ("units", "pictures", "same")
        return replace(self, **{name: getattr(self, name).to(device, non_blocking=non_blocking) for name in names})


def seen(path: Path, transform: Transform, memory: Memory[Path, Tensor]) -> Tensor:
    """The picture in a file, uint8 (3, S, S), read once where there is room to keep it."""
    found = memory.get(path)
    if found is None:
        found = transform.pixels(path)
        memory.keep(path, found, found.nbytes)
    return found


def augmented(units: NDArray[np.int64], count: int, options: UnitAugment, draw: Draw) -> NDArray[np.int64]:
    """Rows of the embedding table of ``units``, (U,), some of them changed, left out or blanked."""
    random = draw.generator("units")
    rows = units + FIRST
    swapped = random.random(len(rows)) < options.substitute
    rows[swapped] = random.integers(FIRST, FIRST + count, int(swapped.sum()))
    kept = random.random(len(rows)) >= options.drop
    rows = rows[kept] if kept.sum() >= min(_FEWEST, len(rows)) else rows
    for _ in range(options.masks):
        width = int(random.integers(0, options.mask_width + 1))
        start = int(random.integers(0, max(1, len(rows) - width)))
        rows[start : start + width] = BLANK
    return rows


def table_rows(row: Row, count: int, most: int, augment: UnitAugment | None, draw: Draw) -> Tensor:
    """Rows of the embedding table for the units of a manifest's row, (U,).

    Raises:
        DataError: it has none, or one that the model does not know.
    """
    units = units_of(row)[:most]
    if not len(units):
        raise DataError(f"{row.id}: no units: silence, or nothing at all", "leave it out")
    if units.max() >= count:
        raise DataError(f"{row.id}: unit {units.max()}, the model has {count}", "encode it with the model's own units")
    return torch.from_numpy(units + FIRST if augment is None else augmented(units, count, augment, draw))


@dataclass(frozen=True)
class Preparation:
    """What is done with a row; a pure function of row and draw."""

    count: int
    """Number of units."""
    transform: Transform
    most: int
    """Units of a clip that are read."""
    augment: UnitAugment | None = None
    """None for validation."""
    image_dir: Path | None = None
    memory: Memory[Path, Tensor] = field(default_factory=lambda: Memory(0))

    def __call__(self, row: Row, draw: Draw) -> Pair:
        """Units and picture of ``row``.

        Raises:
            DataError: the row cannot be used; the run goes on without it.
        """
        path = self._path(row)
        units = table_rows(row, self.count, self.most, self.augment, draw)
        return Pair(row.id, units, seen(path, self.transform, self.memory), str(path))

    def picture(self, row: Row) -> Tensor:
        """The picture of ``row`` alone, uint8 (3, S, S). Errors as of a call."""
        return seen(self._path(row), self.transform, self.memory)

    def _path(self, row: Row) -> Path:
        if row.image is None:
            raise DataError(f"{row.id}: the row has no image", "give it the key `image`")
        if self.image_dir is not None and not row.image.exists():
            return self.image_dir / row.image.name
        return row.image


def padded(parts: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Parts, each (U,), side by side, (B, U), with zeros beyond their ends; and their lengths, (B,)."""
    lengths = torch.tensor([len(part) for part in parts], dtype=torch.long)
    if not parts:
        return torch.zeros(0, 1, dtype=torch.long), lengths
    return pad_sequence(list(parts), batch_first=True), lengths


def collate(items: Sequence[Pair], faults: Sequence[Fault]) -> Batch:
    """A batch of pairs."""
    units, lengths = padded([item.units for item in items])
    pictures = torch.stack([item.picture for item in items]) if items else torch.zeros(0, 3, 1, 1, dtype=torch.uint8)
    names = np.array([item.image for item in items])
    same = torch.from_numpy(names[:, None] == names[None]) if items else torch.zeros(0, 0, dtype=torch.bool)
    return Batch(tuple(item.id for item in items), units, lengths, pictures, same, tuple(faults))


def source(
    encoded: Encoded,
    preparation: Preparation,
    *,
    batch_size: int,
    workers: int,
    seed: int,
    training: bool,
    alike: int = 0,
) -> Loader[Pair, Batch]:
    """Batches of encoded pairs: shuffled for training, in order of length otherwise.

    Args:
        alike: pairs of like pictures that come together in training; 0: all come by chance.
    """
    durations = as_durations(encoded, preparation.most)
    if training:  # negatives of like length would be told from one another by their content alone, never by length
        durations = np.ones_like(durations)
    sampler = BucketSampler(durations, batch_seconds=None, batch_size=batch_size, seed=seed, shuffle=training)
    if training and alike:
        found = clusters(_colors(encoded.manifest, preparation), len(encoded.manifest), alike, seed)
        sampler = AlikeSampler(found, alike, batch_size=batch_size, seed=seed)
    return Loader(encoded.manifest, sampler, preparation, collate, workers=workers, seed=seed)


def _colors(manifest: Manifest, preparation: Preparation) -> Callable[[Rows], NDArray[np.float32]]:
    """Looks at the pictures of rows, (n,) → (n, D); one that cannot be read, a fault in its turn, has no colors."""

    def look(numbers: Rows) -> NDArray[np.float32]:
        found = np.zeros((len(numbers), BINS), np.float32)
        with progress("comparing pictures", len(numbers)) as advance:
            for place, number in enumerate(numbers.tolist()):
                with suppress(OnseiError, OSError):
                    found[place] = histogram(preparation.picture(manifest[number]).numpy())
                advance(1, place >= _SHOW_FROM)
        return found

    return look
