"""Rooms to draw from: simulated ones, made once by number, or recorded impulse responses in a folder."""

from __future__ import annotations

import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from onsei.audio import io
from onsei.audio.augment.folder import survey
from onsei.audio.augment.ranges import Range
from onsei.audio.augment.room import DRR, RT60, Response, convolve, impulse_response
from onsei.audio.samples import Samples, as_samples
from onsei.errors import AudioError

_KEPT = 256
_LONGEST = 2.0
_FALLEN = 10**-4.5
"""Share of the energy, -45 dB, that the end of a response may hold which is cut off to save time."""


class Rooms:
    """Simulated rooms: ``count`` of them, each made from ``seed`` and its number when it is first drawn, then kept.

    Args:
        rate: in Hz.
        seed: of the rooms.
        rt60, drr: as for ``impulse_response``.
        count: how many different rooms there are.
    """

    def __init__(self, rate: int, *, seed: int = 0, rt60: Range = RT60, drr: Range = DRR, count: int = _KEPT) -> None:
        self.rate, self.seed, self.rt60, self.drr, self.count = rate, seed, rt60, drr, count
        self._kept: OrderedDict[int, Response | None] = OrderedDict()
        impulse_response(rate, np.random.default_rng(0), rt60=rt60, drr=drr)  # wrong ranges are told here

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_kept": OrderedDict()}

    def __call__(self, samples: ArrayLike, generator: Generator) -> Samples:
        """``samples`` (..., T) as heard in a room that ``generator`` draws, (..., T). See ``convolve``."""
        number = int(generator.integers(self.count))
        if number in self._kept:
            self._kept.move_to_end(number)
        else:
            self._kept[number] = self._response(number)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        response = self._kept[number]
        return as_samples(samples) if response is None else convolve(samples, response)

    def _response(self, number: int) -> Response | None:
        random = np.random.default_rng([self.seed % 2**64, number])
        return Response(_ended(impulse_response(self.rate, random, rt60=self.rt60, drr=self.drr)))


class RoomFolder(Rooms):
    """Recorded impulse responses: all sound files in a folder and the folders below, of any rate; first channel.

    What comes before the direct sound, the loudest sample, is cut off, and so is the end that holds 45 dB less than
    the whole.

    Raises:
        DataError: no such folder, or no usable sound in it; unusable ones are listed in ``faults``.
    """

    def __init__(self, folder: Path, rate: int) -> None:
        self.folder = Path(folder)
        self.files, self.faults = survey(self.folder, "rir_dir")
        super().__init__(rate, count=len(self.files))

    def _response(self, number: int) -> Response | None:
        file = self.files[number]
        try:
            samples, _ = io.load(file.path, self.rate, channel=0, duration=min(file.seconds, 10.0))
        except AudioError as error:
            print(f"rir_dir: left out: {error.message}", file=sys.stderr)
            return None
        return Response(_trimmed(samples, self.rate))


def _trimmed(samples: Samples, rate: int) -> Samples:
    direct = samples[int(np.abs(samples).argmax()) :][: round(_LONGEST * rate)]
    return _ended(direct / direct[0])


def _ended(response: Samples) -> Samples:
    left = np.cumsum(np.square(response[::-1], dtype=np.float64))[::-1]
    return response[: max(1, int(np.count_nonzero(left > _FALLEN * left[0])))]
