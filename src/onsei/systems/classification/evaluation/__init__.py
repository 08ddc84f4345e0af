"""Measuring a classifier: accuracy over a manifest, and what every sound was taken for."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onsei.audio import io
from onsei.data.loader import Fault
from onsei.data.manifest import Manifest
from onsei.errors import DataError, OnseiError
from onsei.paths import write_text
from onsei.systems.classification.config import Evaluate
from onsei.systems.classification.inference import TOGETHER, Classifier


@dataclass(frozen=True)
class Clip:
    """One sound: what it is and what it was taken for."""

    id: str
    label: str
    probabilities: NDArray[np.float32]
    """Shape (N,)."""


@dataclass(frozen=True)
class Evaluation:
    """What a classifier made of a manifest."""

    labels: tuple[str, ...]
    clips: tuple[Clip, ...]
    faults: tuple[Fault, ...] = ()

    def numbers(self) -> dict[str, float]:
        """Flat; rates in percent."""
        right = sum(self.labels[int(clip.probabilities.argmax())] == clip.label for clip in self.clips)
        return {"accuracy": 100 * right / len(self.clips), "clips": len(self.clips), "faults": len(self.faults)}


def measure(runner: Classifier, manifest: Manifest) -> Evaluation:
    """Name every sound of ``manifest``.

    Raises:
        DataError: none of its sounds can be read.
    """
    clips: list[Clip] = []
    faults: list[Fault] = []
    waiting: list[tuple[str, str, NDArray[np.float32]]] = []

    def empty() -> None:
        rows = runner.probabilities([sound for *_, sound in waiting])
        clips.extend(Clip(name, label, row) for (name, label, _), row in zip(waiting, rows, strict=True))
        waiting.clear()

    for row in manifest.readable():
        try:
            if row.audio is None or row.label is None:
                raise DataError(f"{row.id}: the row has no audio or no label")
            offset, span = row.segment
            sound, _ = io.load(row.audio, runner.sample_rate, offset=offset, duration=span, channel=row.channel)
        except OnseiError as error:
            faults.append(Fault(row.id, str(row.audio), error.message))
            continue
        waiting.append((row.id, row.label, sound))
        if len(waiting) == TOGETHER:
            empty()
    empty()
    if not clips:
        raise DataError(f"{manifest.path}: none of its sounds could be read", "run `onsei data check` on it")
    return Evaluation(runner.labels, tuple(clips), tuple(faults))


def evaluate(options: Evaluate) -> None:
    """Print the accuracy; write JSON where asked."""
    manifest = Manifest.open(options.test_manifest)
    numbers = measure(Classifier.load(options.model, options.device, options.dtype), manifest).numbers()
    print(f"accuracy {numbers['accuracy']:.2f} % of {numbers['clips']} sounds")
    if options.json is not None:
        write_text(options.json, json.dumps(numbers, indent=1) + "\n")
