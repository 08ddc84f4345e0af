"""A folder of noise recordings: of any rate and length, in bounded memory, the same for any number of workers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

from onsei.audio import io
from onsei.audio.augment.folder import SILENT, survey
from onsei.audio.augment.noise import looped, rms
from onsei.audio.samples import Samples
from onsei.errors import AudioError

_LONGEST = 20.0
"""Seconds that long recordings are cut into; pieces are read and kept one by one."""
_TRIES = 8
Piece = tuple[int, int]
"""Number of a file, and of a piece in it."""
Turn = tuple[int, ...]
"""What the choice of pieces depends on: seed and epoch."""


class NoiseFolder:
    """Noise to add, from all sound files in a folder and the folders below.

    Long recordings are cut into even pieces of some 20 s. Where all pieces together need more than ``memory``, each
    turn (an epoch) hears other ones, drawn from its numbers: every process has the same, whichever rows it prepares.
    Pieces are read when they are first drawn, and kept.

    Args:
        folder: any formats, rates and channel counts; channels are averaged.
        rate: of the sounds that noise is added to, in Hz.
        memory: most bytes kept.

    Raises:
        DataError: no such folder, or no usable sound in it; unusable ones are listed in ``faults``.
    """

    def __init__(self, folder: Path, rate: int, *, memory: float = 128 * 2**20) -> None:
        self.folder, self.rate, self.memory = Path(folder), rate, memory
        self.files, self.faults = survey(self.folder, "noise_dir")
        self._counts = [max(1, round(file.seconds / _LONGEST)) for file in self.files]
        self._start()

    def _start(self) -> None:
        self._kept: dict[Piece, Samples | None] = {}
        self._turn: Turn | None = None
        self._pool: list[list[Piece]] = []

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_kept", "_pool", "_turn")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._start()

    def cut(self, length: int, generator: Generator, turn: Turn = (0,)) -> Samples | None:
        """``length`` samples of noise: a file by chance, a place in it by chance; a file that is shorter is looped.

        Where that place is silent or cannot be read another is drawn; None where eight are.
        """
        pool = self._of(turn)
        for _ in range(_TRIES):
            pieces = pool[int(generator.integers(len(pool)))]
            number, place = generator.random(2)
            noise = self._piece(pieces[int(number * len(pieces))])
            if noise is None:
                continue
            room = len(noise) - length + 1 if len(noise) >= length else len(noise)
            found = looped(noise, int(place * room), length)
            if rms(found) > SILENT:
                return found
        return None

    def pieces(self, turn: Turn = (0,)) -> list[Piece]:
        """What may be heard in ``turn``."""
        return [piece for pieces in self._of(turn) for piece in pieces]

    def _of(self, turn: Turn) -> list[list[Piece]]:
        """The pieces of ``turn`` by file."""
        if self._turn != turn:
            self._turn = turn
            self._pool = self._drawn(turn)
            wanted = {piece for pieces in self._pool for piece in pieces}
            self._kept = {piece: noise for piece, noise in self._kept.items() if piece in wanted}
        return self._pool

    def _drawn(self, turn: Turn) -> list[list[Piece]]:
        sizes = [4 * self.rate * file.seconds / count for file, count in zip(self.files, self._counts, strict=True)]
        if sum(size * count for size, count in zip(sizes, self._counts, strict=True)) <= self.memory:
            return [[(n, k) for k in range(count)] for n, count in enumerate(self._counts)]
        random = np.random.default_rng([number % 2**64 for number in turn])
        order = random.permutation(len(self.files)).tolist()
        firsts = {n: int(random.integers(self._counts[n])) for n in order}
        groups: dict[int, list[Piece]] = {}
        room = self.memory
        for lap in range(max(self._counts)):
            for n in order:
                if lap >= self._counts[n]:
                    continue
                room -= sizes[n]
                if room < 0 and groups:
                    return list(groups.values())
                groups.setdefault(n, []).append((n, (firsts[n] + lap) % self._counts[n]))
        return list(groups.values())

    def _piece(self, piece: Piece) -> Samples | None:
        if piece not in self._kept:
            self._kept[piece] = self._read(piece)
        return self._kept[piece]

    def _read(self, piece: Piece) -> Samples | None:
        number, part = piece
        file, count = self.files[number], self._counts[number]
        each = file.seconds / count
        try:
            return io.load(
                file.path, self.rate, offset=part * each, duration=each if part + 1 < count else None, max_seconds=None
            )[0]
        except AudioError as error:
            print(f"noise_dir: left out: {error.message}", file=sys.stderr)
            return None
