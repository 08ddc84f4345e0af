"""Recordings of any length as pieces that fit a batch, all of one length there: nothing padded, nothing lost."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Self, SupportsIndex

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from onsei.audio import io
from onsei.data.digest import digest
from onsei.data.durations import known_durations
from onsei.data.index import Durations
from onsei.data.loader import Draw, Fault, Loader
from onsei.data.manifest import Manifest
from onsei.data.row import Row
from onsei.data.sampler import BucketSampler
from onsei.data.split import cut as cut_rows
from onsei.errors import DataError
from onsei.systems.translation.config.pretrain import Crops
from onsei.systems.translation.data.gather import gathered
from onsei.training.processes import Processes
from onsei.units.spectral import RATE, WINDOW

_SILENT = 1e-4
"""A piece in which nothing is louder, 80 dB below full scale, teaches nothing."""


class Pieces:
    """Rows of a manifest, cut to even pieces of at most ``longest`` seconds; each piece is a row itself.

    Args:
        manifest: the rows.
        rows: those that are taken, by number; all by default.
        longest: seconds of a piece.
        shortest: rows with fewer seconds are left out.

    Raises:
        DataError: no row is long enough.
    """

    def __init__(
        self, manifest: Manifest, rows: NDArray[np.int64] | None = None, *, longest: float, shortest: float = 0.0
    ) -> None:
        self.manifest, self.path = manifest, manifest.path
        seconds = known_durations(manifest)
        numbers = np.arange(len(manifest)) if rows is None else rows
        fits = (seconds[numbers] >= shortest) | (seconds[numbers] == 0)  # 0: broken, told in its turn
        self.left_out = int((~fits).sum())
        """Rows that are too short."""
        self._table, self.durations = _table(numbers[fits], seconds, longest)
        self.fingerprint = f"{manifest.fingerprint}/{longest:g}/{digest(numbers[fits].tobytes().hex()):016x}"
        if not len(self):
            raise DataError(
                f"{self.path}: no recording of {shortest:g} s or more", "record more, or lower --min-seconds"
            )

    def __len__(self) -> int:
        return int(self._table.shape[1])

    def __getitem__(self, number: SupportsIndex) -> Row:
        """Piece ``number``, from 0. Errors as of ``Manifest``."""
        number = operator.index(number)
        row, place, count = (int(value) for value in self._table[:, number])
        whole = self.manifest[row]
        if count == 1:
            return whole
        seconds = float(self.durations[number])
        start = (whole.offset or 0.0) + place * seconds
        return replace(whole, id=f"{whole.id}#{place}", offset=start, duration=seconds)

    def place(self, number: int) -> str:
        """``file:line`` of the row of piece ``number``."""
        return self.manifest.place(int(self._table[0, number]))


def _table(rows: NDArray[np.int64], seconds: Durations, longest: float) -> tuple[NDArray[np.int64], Durations]:
    counts = np.maximum(1, np.ceil(seconds[rows].astype(np.float64) / longest - 1e-6)).astype(np.int64)
    owners = np.repeat(rows, counts)
    places = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    table = np.stack([owners, places, np.repeat(counts, counts)])
    return table, (seconds[owners] / table[2]).astype(np.float32)


def held_out(manifest: Manifest, share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to learn from and rows to validate on, one at least of each.

    Raises:
        DataError: there is but one row.
    """
    if len(manifest) < 2:
        raise DataError(f"{manifest.path}: one recording: none is left to validate on", "cut it, or record more")
    wanted = min(max(1, round(share * len(manifest))), len(manifest) - 1)
    parts = cut_rows(len(manifest), {"val": wanted}, seed)
    return parts["train"], parts["val"]


@dataclass(frozen=True)
class Piece:
    """One piece of sound."""

    id: str
    samples: NDArray[np.float32]
    place: float
    """Where a shorter cut of it begins: 0 at its start, 1 as late as can be."""


@dataclass(frozen=True)
class Sounds:
    """Pieces of one length."""

    ids: tuple[str, ...]
    samples: Tensor
    """At 16 kHz, (B, T)."""
    faults: tuple[Fault, ...] = ()

    @property
    def size(self) -> int:
        """Number of pieces."""
        return len(self.ids)

    def to(self, device: torch.device, *, non_blocking: bool = False) -> Self:
        """The same batch on another device."""
        return replace(self, samples=self.samples.to(device, non_blocking=non_blocking))


@dataclass(frozen=True)
class Hearing:
    """What is done with a row: it is read at 16 kHz."""

    training: bool

    def __call__(self, row: Row, draw: Draw) -> Piece:
        """Read the sound of ``row``.

        Raises:
            AudioError, DataError: the row cannot be used; the run goes on without it.
        """
        if row.audio is None:
            raise DataError(f"{row.id}: the row has no audio", "give it the key `audio`")
        offset, span = row.segment
        samples, _ = io.load(row.audio, RATE, offset=offset, duration=span, channel=row.channel)
        if len(samples) < WINDOW:
            raise DataError(f"{row.id}: {len(samples) / RATE:.3f} s are too short for a frame", "leave it out")
        if float(np.abs(samples).max()) < _SILENT:
            raise DataError(f"{row.id}: silent", "leave it out")
        return Piece(row.id, samples, float(draw.generator("crop").random()) if self.training else 0.5)


def collate(pieces: Sequence[Piece], faults: Sequence[Fault]) -> Sounds:
    """Cut all pieces to the shortest one's length."""
    length = min((len(piece.samples) for piece in pieces), default=1)
    samples = torch.zeros(len(pieces), length)
    for number, piece in enumerate(pieces):
        start = int(piece.place * (len(piece.samples) - length + 1))
        start = min(start, len(piece.samples) - length)
        samples[number] = torch.from_numpy(piece.samples[start : start + length])
    return Sounds(tuple(piece.id for piece in pieces), samples, tuple(faults))


def source(pieces: Pieces, options: Crops, *, seed: int, training: bool) -> Loader[Piece, Sounds]:
    """Batches of pieces of like length."""
    sampler = BucketSampler(
        pieces.durations,
        batch_seconds=options.batch_seconds,
        batch_size=options.batch_size,
        seed=seed,
        shuffle=training,
    )
    return Loader(pieces, sampler, Hearing(training), collate, workers=options.num_workers, seed=seed)


def speakers(manifest: Manifest, most: int = 2000) -> Mapping[str, int]:
    """Rows of each speaker among ``most`` rows that lie evenly over the manifest; empty where rows name none."""
    found: dict[str, int] = {}
    for number in np.unique(np.linspace(0, len(manifest) - 1, min(most, len(manifest))).astype(int)).tolist():
        name = manifest[number].speaker
        if name is not None:
            found[name] = found.get(name, 0) + 1
    return found


def told_speakers(pieces: Pieces) -> list[str]:
    """A warning where all recordings are of one voice."""
    names = speakers(pieces.manifest)
    if len(names) != 1:
        return []
    return [f"warning: one speaker ({next(iter(names))}): the units will be units of this voice"]


def recordings(
    train: Path, val: Path | None, crops: Crops, folder: Path, seed: int, processes: Processes
) -> tuple[Pieces, Pieces]:
    """Pieces to learn from and pieces to validate on, of manifests or folders; one process looks into folders.

    Raises:
        DataError: there are none.
    """

    def paths() -> tuple[Path, Path | None]:
        other = None if val is None else gathered(val, folder / "validation.jsonl")
        return gathered(train, folder / "recordings.jsonl"), other

    first, second = processes.from_first(paths)
    manifest = Manifest.open(first)
    cut = partial(Pieces, longest=crops.crop_seconds, shortest=crops.min_seconds)
    if second is not None:
        return cut(manifest), cut(Manifest.open(second))
    learned, held = held_out(manifest, crops.val_fraction, seed)
    return cut(manifest, learned), cut(manifest, held)
