"""Manifest row → segment of sound with its mel → batch.

B batch, M mel bands, F frames, T samples = F · hop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import Self, SupportsIndex

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from onsei.audio import io
from onsei.data.loader import Draw, Fault, Loader
from onsei.data.manifest import Manifest
from onsei.data.row import Row
from onsei.data.sampler import BucketSampler
from onsei.errors import DataError
from onsei.systems.vocoder.config.train import Data
from onsei.systems.vocoder.data.mels import load_mel
from onsei.vocoder.mel import LogMel, MelDefinition, aligned, mirrored, prepared

EXTRA = "extra_features"
"""Key of a row's further mel."""


@dataclass(frozen=True)
class Item:
    """A segment: mel and sound of the same frames."""

    id: str
    mel: Tensor
    """Shape (M, F), float32."""
    sound: Tensor
    """Shape (T,), float32, T = F · hop, prepared as the definition says."""


@dataclass(frozen=True)
class Batch:
    """Segments of one length."""

    ids: tuple[str, ...]
    mel: Tensor
    """Shape (B, M, F)."""
    sound: Tensor
    """Shape (B, T)."""
    faults: tuple[Fault, ...] = ()

    @property
    def size(self) -> int:
        """Number of segments."""
        return len(self.ids)

    def to(self, device: torch.device, *, non_blocking: bool = False) -> Self:
        """The same batch on another device."""
        mel, sound = (x.to(device, non_blocking=non_blocking) for x in (self.mel, self.sound))
        return replace(self, mel=mel, sound=sound)


@dataclass(frozen=True)
class Preparation:
    """What a worker does with a row; a pure function of row and draw, so that every run sees the same.

    Args:
        mel: the definition.
        frames: F of a training segment; 0 takes the whole recording, for validation.
        given: whether the mels of the rows are learned from, and not those of the sounds.
        extra_weight: probability of drawing the extra mel.
        max_seconds: most of a whole recording that is taken; 0: all.
        tolerance: frames by which a given mel may differ from its sound.
    """

    mel: MelDefinition
    frames: int = 0
    given: bool = False
    extra_weight: float = 0.0
    max_seconds: float = 0.0
    tolerance: int = 0

    @cached_property
    def _analysis(self) -> LogMel:
        return LogMel(self.mel)

    @cached_property
    def _bare(self) -> LogMel:
        """Of sound that has its padding already."""
        return LogMel(replace(self.mel, padding="none"))

    def __call__(self, row: Row, draw: Draw) -> Item:
        """Read the sound and, where it is given, the mel of ``row``, and cut both alike.

        Raises:
            AudioError, DataError: the row cannot be used; the run goes on without it.
        """
        if self.given:
            return self._paired(row, draw)
        sound = prepared(self._sound(row), self.mel)
        if self.frames:
            return self._segment(row, sound, draw)
        sound = _padded(sound, self._needed)
        mel = self._analysis(sound[None])[0]
        return self._cut(row, mel, aligned(sound, self.mel), draw, self._most() or mel.shape[1])

    def _segment(self, row: Row, sound: Tensor, draw: Draw) -> Item:
        """A segment of sound that begins at any sample, not at every hop only; of the mel only its frames are made."""
        hop, spare = self.mel.hop, len(sound) - self._needed
        skip = int(draw.generator("phase").integers(0, min(hop, max(spare, 0) + 1)))
        sound = _padded(sound[skip:], self._needed)
        start = int(draw.generator("crop").integers(0, self.mel.frames(len(sound)) - self.frames + 1))
        heard = slice(start * hop, (start + self.frames - 1) * hop + self.mel.n_fft)
        mel = self._bare(mirrored(sound, *self.mel.pads)[None, heard])[0]
        sound = aligned(sound, self.mel)[start * hop : (start + self.frames) * hop]
        return Item(row.id, mel.contiguous(), sound.contiguous())

    def _paired(self, row: Row, draw: Draw) -> Item:
        name = row.features
        if self.extra_weight and draw.generator("mel").random() < self.extra_weight:
            name = row.extra.get(EXTRA)
        if not isinstance(name, str):
            raise DataError(f"{row.id}: the row has no mel", "give it `features`, or name --mels-dir")
        mel = torch.from_numpy(load_mel(name, self.mel))
        sound = prepared(self._sound(row), self.mel)
        fits = self.mel.frames(len(sound))
        if abs(fits - mel.shape[1]) > self.tolerance:
            raise DataError(f"{name}: {mel.shape[1]} frames, its sound has {fits}", "see `onsei vocoder check`")
        if fits > mel.shape[1]:  # only the frames that both have
            sound = sound[: len(sound) - (fits - mel.shape[1]) * self.mel.hop]
        mel = mel[:, :fits]
        return self._cut(row, mel, aligned(sound, self.mel), draw, self.frames or self._most() or mel.shape[1])

    def _cut(self, row: Row, mel: Tensor, sound: Tensor, draw: Draw, frames: int) -> Item:
        """``frames`` frames of ``mel`` (M, F) and of ``sound`` (F · hop), from a place that chance chooses in training.

        What is shorter gets silence at its end.
        """
        hop = self.mel.hop
        last = mel.shape[1] - frames
        start = int(draw.generator("crop").integers(0, last + 1)) if self.frames and last > 0 else 0
        mel, sound = mel[:, start : start + frames], sound[start * hop : (start + frames) * hop]
        if self.frames:
            silent = float(self._silence)
            mel = torch.nn.functional.pad(mel, (0, frames - mel.shape[1]), value=silent)
            sound = _padded(sound, frames * hop)
        return Item(row.id, mel.contiguous(), sound.contiguous())

    @property
    def _needed(self) -> int:
        """The fewest samples that have a segment's frames, or one frame."""
        return self.mel.shortest + max(0, self.frames - 1) * self.mel.hop

    @cached_property
    def _silence(self) -> float:
        """The least value of a mel."""
        return float(self._analysis(torch.zeros(1, self.mel.shortest)).min())

    def _most(self) -> int:
        return ceil(self.max_seconds / self.mel.seconds(1)) if self.max_seconds else 0

    def _sound(self, row: Row) -> Tensor:
        if row.audio is None:
            raise DataError(f"{row.id}: the row has no audio", "give it the key `audio`")
        return torch.from_numpy(read_sound(row, self.mel.sample_rate))


@dataclass(frozen=True)
class Repeated:
    """A manifest whose rows come several times an epoch: each time under an id of its own, so that each time another
    segment is drawn.

    Args:
        manifest: the rows.
        times: how often each comes.
    """

    manifest: Manifest
    times: int

    @property
    def path(self) -> Path:
        """The manifest."""
        return self.manifest.path

    @property
    def fingerprint(self) -> str:
        """That of the manifest; the number of rows tells how often they come."""
        return self.manifest.fingerprint

    def __len__(self) -> int:
        return len(self.manifest) * self.times

    def __getitem__(self, number: SupportsIndex, /) -> Row:
        turn, place = divmod(int(number), len(self.manifest))
        row = self.manifest[place]
        return replace(row, id=f"{row.id}#{turn + 1}") if turn else row

    def place(self, number: int) -> str:
        """Where the row stands, for messages."""
        return self.manifest.place(number % len(self.manifest))


def read_sound(row: Row, rate: int) -> NDArray[np.float32]:
    """The recording of ``row`` at ``rate`` Hz: float32 (T,)."""
    assert row.audio is not None
    offset, span = row.segment
    samples, _ = io.load(row.audio, rate, offset=offset, duration=span, channel=row.channel)
    return samples


def collate(items: Sequence[Item], faults: Sequence[Fault]) -> Batch:
    """Stack items of one length."""
    return Batch(
        ids=tuple(item.id for item in items),
        mel=torch.stack([item.mel for item in items]) if items else torch.zeros(0, 1, 1),
        sound=torch.stack([item.sound for item in items]) if items else torch.zeros(0, 1),
        faults=tuple(faults),
    )


def source(
    manifest: Manifest, preparation: Preparation, options: Data, *, seed: int, workers: int | None = None
) -> Loader[Item, Batch]:
    """Batches of ``manifest``: segments in a new order every epoch, or whole recordings one by one."""
    training = bool(preparation.frames)
    rows = Repeated(manifest, options.segments) if training and options.segments > 1 else manifest
    sampler = BucketSampler(
        np.ones(len(rows), np.float32),  # segments are all as long
        batch_seconds=None,
        batch_size=options.batch_size if training else 1,
        seed=seed,
        shuffle=training,
    )
    count = options.num_workers if workers is None else workers
    return Loader(rows, sampler, preparation, collate, workers=count, seed=seed)


def _padded(sound: Tensor, least: int) -> Tensor:
    return torch.nn.functional.pad(sound, (0, max(0, least - sound.shape[-1])))
