"""Manifest row → item → batch.

B batch, D feature rows, T frames, P pieces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from onsei.audio import io
from onsei.config import to_dict
from onsei.data.cache import FeatureCache
from onsei.data.durations import known_durations
from onsei.data.loader import Draw, Fault, Loader
from onsei.data.manifest import Manifest
from onsei.data.memory import Memory
from onsei.data.row import Row
from onsei.data.sampler import BucketSampler
from onsei.errors import ConfigError, DataError
from onsei.systems.classification.config import Augment, Data, Features
from onsei.systems.classification.data.augmentation import Changes
from onsei.systems.classification.data.front import FrontEnd, pieces


@dataclass(frozen=True)
class Item:
    """One sound, ready for the network."""

    id: str
    pieces: tuple[Tensor, ...]
    """What the network hears of it, (D, T) each: in training one, or two copies; all of the sound otherwise."""
    label: int


@dataclass(frozen=True)
class Batch:
    """Padded pieces of sounds."""

    ids: tuple[str, ...]
    features: Tensor
    """Shape (P, D, T), zeros as padding."""
    lengths: Tensor
    """Frames of each piece, shape (P,), on the CPU."""
    owners: Tensor
    """The sound that each piece is of, by its number in the batch, shape (P,); in order."""
    labels: Tensor
    """Class of each sound, shape (B,)."""
    faults: tuple[Fault, ...] = ()

    @property
    def size(self) -> int:
        """Number of sounds."""
        return len(self.ids)

    def to(self, device: torch.device, *, non_blocking: bool = False) -> Self:
        """The same batch on another device; lengths stay where masks are made."""
        names = ("features", "owners", "labels")
        moved = {name: getattr(self, name).to(device, non_blocking=non_blocking) for name in names}
        return replace(self, **moved)


@dataclass(frozen=True)
class Preparation:
    """What is done with a row; a pure function of row and draw, so that every run hears the same."""

    classes: Mapping[str, int]
    features: Features
    augment: Augment | None = None
    """None for validation and tests."""
    cache: FeatureCache | None = None
    memory: Memory[str, NDArray[np.float32]] = field(default_factory=lambda: Memory(0))
    twins: bool = False
    """Make each training sound twice, changed in two ways."""
    changes: Changes | None = field(init=False, repr=False, compare=False)
    """What ``augment`` asks for; made here, so that a fault in it is found before training starts."""

    def __post_init__(self) -> None:
        changes = None if self.augment is None else Changes(self.augment, self.features)
        object.__setattr__(self, "changes", changes)

    @cached_property
    def front(self) -> FrontEnd:
        """From samples to features."""
        return FrontEnd(self.features)

    def __call__(self, row: Row, draw: Draw) -> Item:
        """Load, cut and change the sound of ``row``.

        Raises:
            AudioError, DataError: the row cannot be used; the run goes on without it.
        """
        if row.label is None or row.label not in self.classes:
            found = "no label" if row.label is None else f"the label {row.label!r}, which is no class of this training"
            raise DataError(f"{row.id}: the row has {found}", "mend the row")
        label = self.classes[row.label]
        if self.changes is None:
            sound = self._sound(row)
            spans = pieces(len(sound), self.features)
            return Item(row.id, tuple(self.front(sound[a : a + n]) for a, n in spans), label)
        draws = [draw, replace(draw, id=f"{draw.id}|twin")] if self.twins else [draw]
        return Item(row.id, tuple(self._changed(row, one, self.changes) for one in draws), label)

    def _changed(self, row: Row, draw: Draw, changes: Changes) -> Tensor:
        raw = self._cut(self._drawn(row, draw, changes), draw)
        return changes(self.front.finished(torch.from_numpy(raw)), draw)

    def _cut(self, raw: NDArray[np.float32], draw: Draw) -> NDArray[np.float32]:
        """A random piece of ``raw``, (D, T), that is not longer than the network hears at once; a copy."""
        spare = raw.shape[1] - self.front.piece
        start = int(draw.generator("crop").integers(spare + 1)) if spare > 0 else 0
        return np.array(raw[:, start : start + self.front.piece])

    def _drawn(self, row: Row, draw: Draw, changes: Changes) -> NDArray[np.float32]:
        """Features, (D, T), of the sound of ``row``, changed where that is asked for."""
        if not changes.of_sound:
            return self._raw(row)
        sound = self.memory.get(row.id)
        if sound is None:
            sound = self._sound(row)
            self.memory.keep(row.id, sound, sound.nbytes)
        return self.front.raw(changes.sound(sound, draw))

    def _raw(self, row: Row) -> NDArray[np.float32]:
        kept = self.memory.get(row.id)
        if kept is not None:
            return kept
        if self.cache is not None:
            raw = np.array(self.cache.get(row, lambda: self.front.raw(self._sound(row))))  # the cache maps files
        else:
            raw = self.front.raw(self._sound(row))
        self.memory.keep(row.id, raw, raw.nbytes)
        return raw

    def _sound(self, row: Row) -> NDArray[np.float32]:
        if row.audio is None:
            raise DataError(f"{row.id}: the row has no audio", "give it the key `audio`")
        offset, span = row.segment
        samples, _ = io.load(row.audio, self.features.sample_rate, offset=offset, duration=span, channel=row.channel)
        return samples


def collate(items: Sequence[Item], faults: Sequence[Fault]) -> Batch:
    """Pad the pieces of all items to a batch."""
    parts = [piece for item in items for piece in item.pieces]
    longest = max((part.shape[1] for part in parts), default=1)
    features = torch.zeros(len(parts), parts[0].shape[0] if parts else 1, longest)
    for number, part in enumerate(parts):
        features[number, :, : part.shape[1]] = part
    return Batch(
        ids=tuple(item.id for item in items),
        features=features,
        lengths=torch.tensor([part.shape[1] for part in parts], dtype=torch.long),
        owners=torch.tensor([n for n, item in enumerate(items) for _ in item.pieces], dtype=torch.long),
        labels=torch.tensor([item.label for item in items], dtype=torch.long),
        faults=tuple(faults),
    )


def source(
    manifest: Manifest, preparation: Preparation, options: Data, *, seed: int, training: bool
) -> Loader[Item, Batch]:
    """Batches of ``manifest``: shuffled for training, in order of length otherwise."""
    durations = known_durations(manifest)
    if training:  # what is heard of a longer sound is a piece of it
        durations = np.minimum(durations, np.float32(preparation.features.seconds))
    sampler = BucketSampler(
        durations,
        batch_seconds=options.batch_seconds,
        batch_size=options.batch_size,
        seed=seed,
        shuffle=training,
    )
    return Loader(manifest, sampler, preparation, collate, workers=options.num_workers, seed=seed)


def memory_for(options: Data) -> Memory[str, NDArray[np.float32]]:
    """The memory that the options grant."""
    return Memory(options.memory * 2**20)


def cache_for(features: Features, options: Data, augment: Augment) -> FeatureCache | None:
    """The feature cache on disk that the options ask for.

    Raises:
        ConfigError: the sounds change in every epoch, so that there is nothing to keep.
    """
    if options.feature_cache is None:
        return None
    if Changes(augment, features).of_sound:
        raise ConfigError(
            "data.feature_cache keeps features from epoch to epoch, but augment.speed, trim and noise_prob change the "
            "sounds in each",
            "leave out --feature-cache, or these",
            fields=["data.feature_cache"],
        )
    return FeatureCache(options.feature_cache, to_dict(features))
