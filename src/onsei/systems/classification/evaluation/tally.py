"""What a classifier reached on a manifest, counted clip by clip in memory that does not grow with them.

N classes.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from onsei.data.loader import Fault
from onsei.data.manifest import Manifest
from onsei.errors import DataError
from onsei.metrics.classification import (
    RESAMPLES,
    Calibration,
    CalibrationMeter,
    Cell,
    Matrix,
    intervals,
    per_class,
)
from onsei.systems.classification.evaluation.hearing import TOP, Clip, Hearing, Namer

Group = Literal["artist", "recording", "speaker"]
By = Literal["auto", "clip"] | Group
GROUPS: tuple[Group, ...] = ("artist", "recording", "speaker")
"""Keys of rows that tell which clips belong together, in the order in which ``auto`` looks for them."""
_FEWEST = 10
"""Groups that ``auto`` asks for: a bootstrap over less tells little."""
_MOST = 2_000
"""More groups than these share their places."""


class _Groups:
    """Counts of the cells that each group's clips lie in."""

    def __init__(self) -> None:
        self.parts: list[Counter[Cell]] = []
        self.lacking = False
        """Whether a clip had no group."""
        self._places: dict[str, int] = {}

    def add(self, name: str, cell: Cell) -> None:
        """Count a clip of the group ``name``."""
        self.lacking |= not name
        place = self._places.get(name)
        if place is None and len(self.parts) < _MOST:
            place = self._places[name] = len(self.parts)
            self.parts.append(Counter())
        elif place is None:  # its name is not kept, its place is the same in every run
            place = zlib.crc32(name.encode(errors="surrogatepass")) % _MOST
        self.parts[place][cell] += 1


class Tally:
    """Counts of clips."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)
        self.matrix: Matrix = np.zeros((len(labels), len(labels)), np.int64)
        self.faults = 0
        self.seconds = 0.0
        """Of sound."""
        self.elapsed = 0.0
        """Seconds that reading and naming took."""
        self._calibration = CalibrationMeter()
        self._among_best = 0
        self._loss = 0.0
        self._groups: dict[Group, _Groups] = {key: _Groups() for key in GROUPS}

    @property
    def clips(self) -> int:
        """Clips so far."""
        return int(self.matrix.sum())

    @property
    def calibration(self) -> Calibration:
        """Whether confidence is what it says."""
        return self._calibration.calibration()

    def add(self, clip: Clip) -> None:
        """Count a clip."""
        cell = clip.truth, clip.guessed
        self.matrix[cell] += 1
        self.seconds += clip.seconds
        self._calibration.add([min(clip.confidence, 1.0)], [clip.right])
        self._among_best += int((clip.probabilities > clip.chance).sum() < TOP)
        self._loss += clip.loss
        for key, groups in self._groups.items():
            name = clip.row.speaker if key == "speaker" else clip.row.extra.get(key)
            groups.add("" if name is None else str(name), cell)

    def grouped_by(self, by: By) -> Literal["clip"] | Group:
        """What the bootstrap draws.

        Raises:
            DataError: rows lack the key that was asked for.
        """
        if by == "clip":
            return "clip"
        if by != "auto":
            if self._groups[by].lacking:
                raise DataError(f"--interval-by {by}: rows without `{by}`", "take --interval-by clip")
            return by
        for key, groups in self._groups.items():
            if not groups.lacking and _FEWEST <= len(groups.parts) < self.clips:
                return key
        return "clip"

    def numbers(self, by: By = "auto", *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, float]:
        """One flat object; rates in percent, with their 95 % intervals, and those of each class as ``recall/LABEL``."""
        group = self.grouped_by(by)
        parts = () if group == "clip" else self._groups[group].parts
        accuracy, f1 = intervals(self.matrix, parts, resamples=resamples, seed=seed)
        classes, calibration, count = per_class(self.matrix), self.calibration, max(1, self.clips)
        found: dict[str, float] = {
            "accuracy": accuracy.rate, "accuracy_low": accuracy.low, "accuracy_high": accuracy.high,
            "macro_f1": f1.rate, "macro_f1_low": f1.low, "macro_f1_high": f1.high,
            "balanced_accuracy": _mean(classes.recall.tolist()),
            **({f"top{TOP}_accuracy": 100 * self._among_best / count} if len(self.labels) > TOP else {}),
            "calibration_error": calibration.error,
            "largest_calibration_error": calibration.largest_error,
            "cross_entropy": self._loss / count,
            "most_frequent_class": 100 * int(self.matrix.sum(1).max()) / count,
            "clips": self.clips,
            "classes": len(self.labels),
            "unreadable": self.faults,
            "audio_seconds": self.seconds,
            "real_time_factor": self.elapsed / self.seconds if self.seconds else math.nan,
        }  # fmt: skip
        columns = {"clips": classes.clips, "precision": classes.precision, "recall": classes.recall, "f1": classes.f1}
        for number, label in enumerate(self.labels):
            found |= {f"{name}/{label}": column[number].item() for name, column in columns.items()}
        return found


@dataclass(frozen=True)
class Evaluation:
    """All clips of a manifest that fits into memory."""

    clips: tuple[Clip, ...]
    faults: tuple[Fault, ...]
    tally: Tally

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.tally.labels

    def numbers(self) -> dict[str, float]:
        """One flat object: see ``Tally.numbers``."""
        return self.tally.numbers()


def measure(
    runner: Namer, manifest: Manifest, *, batch_size: int = 32, workers: int = 0, progress: bool = False
) -> Evaluation:
    """Name every sound of ``manifest`` and compare it with its label; rows of other classes are passed over.

    Raises:
        DataError: none of its sounds could be read.
    """
    tally, hearing = Tally(runner.labels), Hearing(runner, manifest, batch_size=batch_size, workers=workers)
    found = list(hearing.clips(progress=progress))
    clips = tuple(one for one in found if isinstance(one, Clip))
    faults = tuple(one for one in found if isinstance(one, Fault))
    for clip in clips:
        tally.add(clip)
    tally.faults, tally.elapsed = len(faults), hearing.elapsed
    if not clips:
        raise nothing_read(manifest, faults)
    return Evaluation(clips, faults, tally)


def nothing_read(manifest: Manifest, faults: Sequence[Fault]) -> DataError:
    """That there is nothing to measure."""
    first = f"; first: {faults[0].reason}" if faults else ""
    return DataError(
        f"{manifest.path}: none of its {len(manifest)} sounds could be named{first}",
        "run `onsei data check` on the manifest",
    )


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else math.nan
