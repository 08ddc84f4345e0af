"""Every sound of a manifest, named by a classifier.

T samples, N classes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from onsei.audio import io
from onsei.data.durations import known_durations
from onsei.data.loader import Draw, Fault, Loader
from onsei.data.manifest import Manifest
from onsei.data.row import Row
from onsei.data.sampler import BucketSampler
from onsei.errors import DataError

TOP = 3
"""Classes of a clip that are shown."""
_BATCH_SECONDS = 600.0


class Namer(Protocol):
    """What is measured: a ``Classifier``, or another network that answers like one."""

    @property
    def labels(self) -> Sequence[str]:
        """Names of its classes."""
        ...

    @property
    def sample_rate(self) -> int:
        """Hz."""
        ...

    def probabilities(self, sounds: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """How likely each class is in each sound, (B, N)."""
        ...


@dataclass(frozen=True)
class Clip:
    """One sound: what it is and what it was taken for."""

    row: Row
    labels: tuple[str, ...]
    """Names of the classes."""
    truth: int
    """Number of the class that it is of."""
    probabilities: NDArray[np.float32]
    """Shape (N,)."""
    seconds: float
    """Of sound."""

    @property
    def id(self) -> str:
        """Of its row."""
        return self.row.id

    @property
    def label(self) -> str:
        """The class that it is of."""
        return self.labels[self.truth]

    @property
    def guess(self) -> str:
        """The class that it was taken for."""
        return self.labels[self.guessed]

    @cached_property
    def guessed(self) -> int:
        """Number of the class that it was taken for."""
        return int(self.probabilities.argmax())

    @property
    def right(self) -> bool:
        """Whether it was taken for what it is."""
        return self.guessed == self.truth

    @property
    def confidence(self) -> float:
        """Probability of the class that it was taken for."""
        return float(self.probabilities[self.guessed])

    @property
    def chance(self) -> float:
        """Probability of the class that it is of."""
        return float(self.probabilities[self.truth])

    @property
    def loss(self) -> float:
        """Cross-entropy, in nats."""
        return float(-np.log(max(self.chance, 1e-12)))

    @property
    def best(self) -> list[tuple[str, float]]:
        """The likeliest classes with their probabilities."""
        order = np.argsort(-self.probabilities, kind="stable")[:TOP]
        return [(self.labels[n], float(self.probabilities[n])) for n in order]


@dataclass(frozen=True)
class Heard:
    """A batch's sounds, and why others could not be read."""

    rows: tuple[Row, ...]
    sounds: tuple[NDArray[np.float32], ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class Reading:
    """Row → its sound at ``rate`` Hz; rows whose label is not in ``labels`` give none."""

    rate: int
    labels: frozenset[str]

    def __call__(self, row: Row, draw: Draw) -> tuple[Row, NDArray[np.float32]] | None:
        """Read it. Raises AudioError or DataError."""
        if row.label is None or row.audio is None:
            raise DataError(f"{row.id}: the row has no {'label' if row.label is None else 'audio'}")
        if row.label not in self.labels:
            return None
        offset, span = row.segment
        samples, _ = io.load(row.audio, self.rate, offset=offset, duration=span, channel=row.channel)
        return row, samples


def collate(items: Sequence[tuple[Row, NDArray[np.float32]] | None], faults: Sequence[Fault]) -> Heard:
    """The sounds of a batch."""
    kept = [item for item in items if item is not None]
    return Heard(tuple(row for row, _ in kept), tuple(sound for _, sound in kept), tuple(faults))


class Hearing:
    """Clips of a manifest one after the other, and how long their naming took.

    Args:
        runner: names them.
        manifest: rows with labels; those of other labels than the runner's are passed over.
        batch_size: sounds at once, at most.
        workers: processes that read files.
    """

    def __init__(self, runner: Namer, manifest: Manifest, *, batch_size: int = 32, workers: int = 0) -> None:
        self.elapsed = 0.0
        """Seconds so far."""
        self._runner, self._labels = runner, tuple(runner.labels)
        sampler = BucketSampler(
            known_durations(manifest), batch_seconds=_BATCH_SECONDS, batch_size=batch_size, seed=0, shuffle=False
        )
        reading = Reading(runner.sample_rate, frozenset(self._labels))
        self._loader = Loader(manifest, sampler, reading, collate, workers=workers)

    def clips(self, *, progress: bool = False) -> Iterator[Clip | Fault]:
        """Every clip, or why it could not be read; in the order of their lengths."""
        stream = self._loader.batches(0)
        number = {label: n for n, label in enumerate(self._labels)}
        began, paused = time.perf_counter(), 0.0
        shown = track(stream, "evaluating", total=self._loader.count(0), transient=True) if progress else stream
        try:
            for batch in shown:
                chances = self._runner.probabilities(batch.sounds) if batch.sounds else np.zeros((0, 1), np.float32)
                self.elapsed = time.perf_counter() - began - paused
                since = time.perf_counter()
                yield from batch.faults
                for row, sound, found in zip(batch.rows, batch.sounds, chances, strict=True):
                    seconds = len(sound) / self._runner.sample_rate
                    yield Clip(row, self._labels, number[str(row.label)], found, seconds)
                paused += time.perf_counter() - since  # what the caller does is not the classifier's time
        finally:
            self._loader.close()
