"""What trackers are shown of an evaluation: its numbers, the matrix of classes, and the hardest clips to hear."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from onsei.config import to_dict
from onsei.errors import OnseiError
from onsei.plots.classes import confusion, reliability
from onsei.systems.classification.config import Evaluate
from onsei.systems.classification.evaluation.hearing import Clip
from onsei.systems.classification.evaluation.report import part
from onsei.systems.classification.evaluation.tally import Tally
from onsei.training.tracking import Heard, Tracker, open_after

_LONGEST = 30.0
"""Seconds of a clip that is shown."""


def opened(options: Evaluate) -> list[Tracker]:
    """The trackers that are asked for, in the model's folder, or here for a model of the Hub.

    Raises:
        MissingExtraError: a tracker's library is not installed.
    """
    if not options.tracker:
        return []
    folder = Path(options.model) if Path(options.model).is_dir() else Path()
    name = f"evaluate-{options.test_manifest.stem}"
    return open_after(options.tracker, folder, name=name, resolved=to_dict(options))


def show(tracker: Tracker, tally: Tally, numbers: Mapping[str, float], hardest: Sequence[Clip]) -> None:
    """Show all of it at step 0."""
    tracker.log(0, {f"test/{name}": value for name, value in numbers.items() if math.isfinite(value)})
    tracker.figure(0, "test/confusion", confusion(tally.labels, tally.matrix))
    tracker.figure(0, "test/calibration", reliability(tally.calibration))
    tracker.sounds(0, "test/hardest", [found for clip in hardest if (found := _heard(clip)) is not None])


def _heard(clip: Clip) -> Heard | None:
    try:
        samples, rate = part(clip, 0.0, _LONGEST if clip.seconds > _LONGEST else None)
    except OnseiError:
        return None
    facts: dict[str, str | float] = {
        "is": clip.label,
        "taken for": clip.guess,
        "sure of that": round(clip.confidence, 4),
        "sure of what it is": round(clip.chance, 4),
    }
    return Heard(clip.id, np.clip(samples, -1, 1), rate, facts)
