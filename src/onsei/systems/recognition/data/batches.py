"""Manifest row → item → batch.

B batch, D feature rows, T frames, L labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from onsei.audio import io
from onsei.config import to_dict
from onsei.data.cache import FeatureCache
from onsei.data.durations import known_durations
from onsei.data.features import load_features
from onsei.data.loader import Draw, Fault, Loader
from onsei.data.manifest import Manifest
from onsei.data.row import Row
from onsei.data.sampler import BucketSampler
from onsei.decoding.ctc import required_frames
from onsei.errors import ConfigError, DataError
from onsei.nn.frames import Frames
from onsei.systems.recognition.config import Augment, Data, Features
from onsei.systems.recognition.data.augmentation import Changes, changed_by
from onsei.systems.recognition.data.front import FrontEnd, by_rows, stored_rows
from onsei.systems.recognition.model import frames_of
from onsei.text.alphabet import Alphabet


@dataclass(frozen=True)
class Item:
    """One utterance, ready for the network."""

    id: str
    features: Tensor
    """Shape (D, T), float32."""
    labels: list[int]
    text: str
    """The transcript in the alphabet's case, unknown characters left out."""
    seconds: float
    speaker: str = ""
    twin: Tensor | None = None
    """Features of the same utterance, changed another way: shape (D, T')."""


@dataclass(frozen=True)
class Batch:
    """Padded utterances."""

    ids: tuple[str, ...]
    features: Tensor
    """Shape (B, D, T), zeros as padding."""
    lengths: Tensor
    """Frames of each utterance, shape (B,), on the CPU."""
    labels: Tensor
    """Labels of all utterances in a row, shape (sum L,)."""
    label_lengths: Tensor
    """Labels of each utterance, shape (B,), on the CPU."""
    needed: Tensor
    """Output frames that its labels need at least, shape (B,), on the CPU."""
    texts: tuple[str, ...]
    seconds: tuple[float, ...]
    speakers: tuple[str, ...] = ()
    """Empty where unknown."""
    faults: tuple[Fault, ...] = ()

    @property
    def size(self) -> int:
        """Number of utterances."""
        return len(self.ids)

    def to(self, device: torch.device, *, non_blocking: bool = False) -> Self:
        """The same batch on another device; lengths stay where packing and CTC want them."""
        moved = {name: getattr(self, name).to(device, non_blocking=non_blocking) for name in ("features", "labels")}
        return replace(self, **moved)


@dataclass(frozen=True)
class Preparation:
    """What a worker does with a row; a pure function of row and draw, so that every run sees the same."""

    alphabet: Alphabet
    features: Features
    augment: Augment | None = None
    """None for validation and tests."""
    cache: FeatureCache | None = None
    frames: Frames = field(default_factory=frames_of)
    """Output frames of the network, which decide whether the labels fit."""
    voiced: bool = True
    """Change voices too; False where the Learner does it, with several copies of a batch."""
    twins: bool = False
    """Make each utterance twice, changed in two ways."""
    changes: Changes | None = field(init=False, repr=False, compare=False)
    """What ``augment`` asks for; made here, so that a fault in it is found before training starts."""

    def __post_init__(self) -> None:
        changes = None if self.augment is None else Changes(self.augment, self.features)
        object.__setattr__(self, "changes", changes)

    @cached_property
    def _front(self) -> FrontEnd:
        return FrontEnd(self.features)

    def __call__(self, row: Row, draw: Draw) -> Item:
        """Load, change, and measure the sound of ``row``.

        Raises:
            AudioError, DataError: the row cannot be used; the run goes on without it.
        """
        if row.text is None:
            raise DataError(f"{row.id}: the row has no text", "give it the key `text`, empty where nothing is said")
        text = self.alphabet.spoken(row.text)
        labels = self.alphabet.encode(text)
        features = self._changed(row, draw, labels)
        twin = self._changed(row, replace(draw, id=f"{draw.id}|twin"), labels) if self.twins else None
        seconds = row.duration or features.shape[-1] * self.features.period
        return Item(row.id, features, labels, text, seconds, row.speaker or "", twin)

    def _changed(self, row: Row, draw: Draw, labels: list[int]) -> Tensor:
        changes = self.changes
        if changes is None:
            features = _own(self._unchanged(row, labels))
            return by_rows(features) if self.features.kind == "precomputed" else features
        random = draw.generator("features")
        if self._transforms(row, changes):
            features = self._heard(row, draw, labels, changes, random)
        else:
            features = changes.timed(_own(self._unchanged(row, labels)), random)
        return changes.voiced(features, random) if self.voiced else features

    def _transforms(self, row: Row, changes: Changes) -> bool:
        """Whether the sound is transformed in each epoch, so that it may be changed before or on the way."""
        anew = self.cache is None and row.features is None and self._front.looks_anywhere
        return changes.of_sound or anew

    def _heard(self, row: Row, draw: Draw, labels: list[int], changes: Changes, random: np.random.Generator) -> Tensor:
        # The sound as it is decides whether the row can be learned: where a draw of the speed makes it too short, its
        # loss counts nothing in that epoch.
        sound, front = self._sound(row), self._front
        self._check_fit(row, labels, front.frames_of(len(sound)))
        sound = changes.sound(sound, draw) if changes.of_sound else sound
        norm = not (self.voiced and changes.normalizes_late)
        if not front.looks_anywhere:
            return changes.timed(torch.from_numpy(front(sound, norm=norm)), random)
        moments = changes.moments(front.frames_of(len(sound)), random)
        return torch.from_numpy(front.at(sound, moments, norm=norm))

    def _check_fit(self, row: Row, labels: list[int], frames: int) -> None:
        needed, found = required_frames(labels), self.frames.count(frames)
        if needed > found:
            mend = "check duration and text"
            raise DataError(f"{row.id}: {len(labels)} labels need {needed} frames, the sound has {found}", mend)

    def _unchanged(self, row: Row, labels: list[int]) -> NDArray[np.float32]:
        if row.features is not None or self.features.kind == "precomputed":
            features = self._precomputed(row)
        elif self.cache is not None:
            features = self.cache.get(row, lambda: self._front(self._sound(row)))
        else:
            features = self._front(self._sound(row))
        self._check_fit(row, labels, features.shape[-1])
        return features

    def _sound(self, row: Row) -> NDArray[np.float32]:
        if row.audio is None:
            raise DataError(f"{row.id}: the row has neither audio nor features")
        offset, span = row.segment
        samples, _ = io.load(row.audio, self.features.sample_rate, offset=offset, duration=span, channel=row.channel)
        return samples

    def _precomputed(self, row: Row) -> NDArray[np.float32]:
        if row.features is None or self.features.kind != "precomputed":
            found = "audio only" if row.features is None else "precomputed features"
            raise DataError(f"{row.id}: features.kind is {self.features.kind}, the row has {found}")
        x = load_features(row.features)
        if self.features.bins not in (0, x.shape[0]):
            raise DataError(f"{row.id}: expected {self.features.bins} feature rows, found {x.shape[0]}")
        return stored_rows(x, self.features)


def _own(features: NDArray[np.float32]) -> Tensor:
    """``features``, copied where they lie in a file of the cache."""
    return torch.from_numpy(features if features.flags.writeable else np.array(features))


def collate(items: Sequence[Item], faults: Sequence[Fault]) -> Batch:
    """Pad items to a batch; their twins follow, in the same order."""
    items = [*items, *(replace(item, features=item.twin) for item in items if item.twin is not None)]
    frames = [item.features.T for item in items]  # (T, D)
    features = pad_sequence(frames, batch_first=True).transpose(1, 2) if frames else torch.zeros(0, 1, 1)
    return Batch(
        ids=tuple(item.id for item in items),
        features=features,
        lengths=torch.tensor([item.features.shape[-1] for item in items], dtype=torch.long),
        labels=torch.tensor([label for item in items for label in item.labels], dtype=torch.long),
        label_lengths=torch.tensor([len(item.labels) for item in items], dtype=torch.long),
        needed=torch.tensor([required_frames(item.labels) for item in items], dtype=torch.long),
        texts=tuple(item.text for item in items),
        seconds=tuple(item.seconds for item in items),
        speakers=tuple(item.speaker for item in items),
        faults=tuple(faults),
    )


def source(
    manifest: Manifest,
    preparation: Preparation,
    options: Data,
    *,
    seed: int,
    training: bool,
    workers: int | None = None,
) -> Loader[Item, Batch]:
    """Batches of ``manifest``: shuffled for training, in order of length otherwise."""
    sampler = BucketSampler(
        known_durations(manifest),
        batch_seconds=options.batch_seconds,
        batch_size=options.batch_size,
        seed=seed,
        sorted_first=training and options.sortagrad,
        shuffle=training and options.shuffle,
    )
    count = options.num_workers if workers is None else workers
    return Loader(manifest, sampler, preparation, collate, workers=count, seed=seed)


def cache_for(features: Features, options: Data, augment: Augment | None) -> FeatureCache | None:
    """The feature cache that the options ask for.

    Raises:
        ConfigError: the features are stored already.
        DataError: the sounds change in every epoch, so that there is nothing to keep.
    """
    if options.feature_cache is None:
        return None
    if features.kind == "precomputed":
        raise ConfigError(
            "data.feature_cache keeps computed features, but features.kind is precomputed: they are stored already",
            "leave out --feature-cache",
        )
    given = [f"augment.{name}" for name in changed_by(augment)] if augment is not None else []
    if given:
        raise DataError(
            f"data.feature_cache keeps features from epoch to epoch, but {', '.join(given)} changes the sounds in each",
            "leave out --feature-cache, or turn these off (masks, time_warp, tempo by spectrogram, warp, slope and "
            "tilt do not matter)",
        )
    return FeatureCache(options.feature_cache, to_dict(features))
