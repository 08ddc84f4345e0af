"""Manifest row → clip or window of pictures with its mel → batch.

B films or windows, T frames, H height, W width, F mel frames = T · r, M mel bands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from onsei.data.loader import Draw, Fault, Loader
from onsei.data.manifest import Manifest
from onsei.data.memory import Memory
from onsei.data.row import Row
from onsei.data.sampler import BucketSampler
from onsei.errors import DataError
from onsei.systems.articulation.config.network import Model
from onsei.systems.articulation.config.train import Augment, Data
from onsei.systems.articulation.data.changes import changed
from onsei.systems.articulation.data.prepared import Prepared, Scaler, load_frames, load_mel, video_of

START = "start"
"""Key of a row that is a window: the frame it begins at."""
MASK = "mask.npy"
_KEPT = 512 * 2**20
"""Bytes of shrunk pictures that a process keeps for the next epochs."""


@dataclass(frozen=True)
class Item:
    """A clip or window."""

    id: str
    frames: Tensor
    """Pictures in 0..1, shape (T, 1, H, W)."""
    mel: Tensor
    """Normalized log-mel, shape (F, M)."""


@dataclass(frozen=True)
class Batch:
    """Clips, padded with zeros."""

    ids: tuple[str, ...]
    frames: Tensor
    """Shape (B, T, 1, H, W)."""
    lengths: Tensor
    """Frames of each, shape (B,)."""
    mel: Tensor
    """Shape (B, F, M)."""
    faults: tuple[Fault, ...] = ()

    @property
    def size(self) -> int:
        """Number of clips."""
        return len(self.ids)

    def to(self, device: torch.device, *, non_blocking: bool = False) -> Self:
        """The same batch on another device."""
        frames, mel = (x.to(device, non_blocking=non_blocking) for x in (self.frames, self.mel))
        return replace(self, frames=frames, mel=mel)


@dataclass(frozen=True)
class Preparation:
    """What a worker does with a row; a pure function of row and draw, so that every run sees the same.

    Args:
        prepared: what the arrays are.
        scaler: of mels.
        model: for the size of its pictures and its window.
        augment: random changes.
        crop: frames of a random part of each clip; 0: all.
    """

    prepared: Prepared
    scaler: Scaler
    model: Model
    augment: Augment = field(default_factory=Augment)
    crop: int = 0
    memory: Memory[Path, NDArray[np.uint8]] = field(default_factory=lambda: Memory(_KEPT))

    def __call__(self, row: Row, draw: Draw) -> Item:
        """Read the pictures and the mel of ``row``.

        Raises:
            DataError: the row cannot be used; the run goes on without it.
        """
        path, features = video_of(row), row.features
        if features is None:
            raise DataError(f"{row.id}: the row has no features, the path of its mel", "prepare the clips again")
        mel = load_mel(features, self.prepared.mel.n_mels).T  # (F, M)
        frames, start = self._part(row, path, mel, draw)
        r = self.prepared.subframes
        mel = self.scaler.normalized(mel[start * r : (start + len(frames)) * r])
        pictures = torch.from_numpy(frames)[:, None]
        pictures = changed(pictures, self.augment, draw)
        return Item(row.id, pictures, torch.from_numpy(np.ascontiguousarray(mel)))

    def _part(self, row: Row, path: Path, mel: NDArray[np.float32], draw: Draw) -> tuple[NDArray[np.float32], int]:
        """The pictures that are seen, and the frame that they begin at."""
        window, start = self.model.window, row.extra.get(START)
        if isinstance(start, int) and window:
            frames = shrunk(masked(load_frames(path, start, window), path, start), self.model.size)
            if len(frames) < window:
                raise DataError(f"{row.id}: a window of {window} frames passes the end of {path}", "mend its `start`")
            return frames, start
        frames = self._whole(path)
        _check_lengths(row, len(frames), len(mel), self.prepared.subframes)
        if self.crop and len(frames) > self.crop:
            first = int(draw.generator("crop").integers(0, len(frames) - self.crop + 1))
            return frames[first : first + self.crop], first
        return frames, 0

    def _whole(self, path: Path) -> NDArray[np.float32]:
        kept = self.memory.get(path)
        if kept is None:
            kept = as_bytes(shrunk(masked(load_frames(path), path), self.model.size))
            self.memory.keep(path, kept, kept.nbytes)
        return kept.astype(np.float32) / np.float32(255)


def as_bytes(frames: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Pictures in 0..1 in steps of 1/255, as they are seen in training and in use."""
    made: NDArray[np.uint8] = np.rint(frames * np.float32(255)).astype(np.uint8)
    return made


def shrunk(frames: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Pictures (T, H, W) as (T, size, size): means of areas where that is smaller, between pixels where larger."""
    if frames.shape[1:] == (size, size):
        return frames
    x = torch.from_numpy(np.ascontiguousarray(frames))[:, None]
    smaller = size <= min(frames.shape[1:])
    made = interpolate(x, (size, size), mode="area" if smaller else "bilinear")
    found: NDArray[np.float32] = made[:, 0].numpy()
    return found


def masked(frames: NDArray[np.float32], video: Path, start: int = 0) -> NDArray[np.float32]:
    """Pictures under the mask that lies beside them, if there is one."""
    path = video.with_name(MASK)
    if not path.exists():
        return frames
    mask = load_frames(path, start, len(frames))
    if mask.shape != frames.shape:
        raise DataError(f"{path}: expected shape {frames.shape}, found {mask.shape}", "prepare the clips again")
    # Bytes hold 0 and 1 and not 0 and 255, so that the file itself can be multiplied with.
    return frames * (mask > 0)


def collate(items: Sequence[Item], faults: Sequence[Fault]) -> Batch:
    """Pad items to the longest."""
    if not items:
        return Batch(
            (), torch.zeros(0, 1, 1, 1, 1), torch.zeros(0, dtype=torch.long), torch.zeros(0, 1, 1), tuple(faults)
        )
    lengths = torch.tensor([len(item.frames) for item in items])
    frames = torch.nn.utils.rnn.pad_sequence([item.frames for item in items], batch_first=True)
    mel = torch.nn.utils.rnn.pad_sequence([item.mel for item in items], batch_first=True)
    return Batch(tuple(item.id for item in items), frames, lengths, mel, tuple(faults))


def source(
    manifest: Manifest, preparation: Preparation, options: Data, *, seed: int, training: bool
) -> Loader[Item, Batch]:
    """Batches of ``manifest``, clips of like length together; in a new order every epoch in training."""
    size = options.micro_batch_size or options.batch_size
    durations = np.nan_to_num(np.asarray(manifest.durations, np.float32), nan=1.0)
    sampler = BucketSampler(durations, batch_seconds=None, batch_size=size, seed=seed, shuffle=training)
    return Loader(manifest, sampler, preparation, collate, workers=options.num_workers, seed=seed)


def _check_lengths(row: Row, frames: int, mels: int, subframes: int) -> None:
    if mels != frames * subframes:
        raise DataError(
            f"{row.id}: {frames} pictures and {mels} mel frames, expected {subframes} for each picture",
            "prepare the clips again",
        )
