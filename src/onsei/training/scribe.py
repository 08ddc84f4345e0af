"""What a run shows and writes down: the journal, the trackers and the progress, all by the first process alone."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from onsei.training.clock import Standing
from onsei.training.failures import explained
from onsei.training.journal import Journal
from onsei.training.learner import Fault
from onsei.training.options import Training
from onsei.training.progress import Progress
from onsei.training.tracking import Tracker, open_trackers
from onsei.training.trainee import Lesson


class Scribe:
    """Writes and speaks where ``main``; otherwise does nothing.

    Args:
        folder: the run folder.
        resolved: the run's whole configuration.
        metrics_bytes, source: see ``Journal``.
        done: part of the run that is done already, 0..1.
    """

    def __init__(
        self,
        training: Training,
        folder: Path,
        resolved: Mapping[str, Any],
        standing: Standing,
        *,
        main: bool,
        metrics_bytes: int = 0,
        source: Path | None = None,
        done: float = 0.0,
    ) -> None:
        self._training = training
        self._began = time.monotonic() - standing.seconds
        self._journal: Journal | None = None
        self._trackers: Sequence[Tracker] = ()
        if main:
            self._trackers = open_trackers(training, folder, run=standing.run, step=standing.step, resolved=resolved)
            self._journal = Journal(folder, resolved, metrics_bytes, source)
        self._progress = Progress(shown=main, silent=training.silent, done=done)

    @property
    def seconds(self) -> float:
        """Time spent on the run, over all resumes."""
        return time.monotonic() - self._began

    @property
    def quarantined(self) -> int:
        """Rows that could not be used, each counted once."""
        return 0 if self._journal is None else self._journal.quarantined

    def say(self, text: str) -> None:
        """Print a line that must be seen even where the run is silent."""
        self._progress.say(text)

    def tell(self, text: str) -> None:
        """Print a line, unless the run is silent."""
        self._progress.tell(text)

    def write_step(
        self, standing: Standing, lesson: Lesson, rates: Mapping[str, float], waited: float, done: float
    ) -> None:
        """Write down a step. ``waited`` is the part of its time spent waiting, ``done`` the part of the run, 0..1."""
        self._progress.step(standing.epoch, standing.step, lesson.values, done)
        if standing.step % self._training.log_steps and not lesson.outcome.skipped:
            return
        self._write(
            {
                "step": standing.step,
                "epoch": standing.epoch,
                **{f"train/{name}": value for name, value in lesson.values.items()},
                **{f"lr/{name}": value for name, value in rates.items()},
                **{f"grad_norm/{name}": value for name, value in lesson.outcome.norms.items()},
                "data_wait": waited,
                "seconds": self.seconds,
                "skipped": standing.skipped,
                **{name: count for name, count in standing.counts.items() if count},
                **({"not_finite": list(lesson.suspects)} if lesson.suspects else {}),
            }
        )

    def write_validation(self, standing: Standing, took: float, parameters: Mapping[str, Tensor]) -> None:
        """Write down a validation that ``took`` seconds; histograms of ``parameters`` and gradients, if asked for."""
        better = standing.best_step == standing.step
        row = {"step": standing.step, "epoch": standing.epoch, **standing.values}
        self._write({**row, "seconds": self.seconds, "val_seconds": took, "best": better})
        if self._training.log_params:
            gradients = {f"grads/{name}": p.grad for name, p in parameters.items() if p.grad is not None}
            for tracker in self._trackers:
                tracker.histograms(standing.step, {f"params/{n}": p for n, p in parameters.items()} | gradients)
        shown = "  ".join(f"{name} {value:.4g}" for name, value in standing.values.items())
        self.tell(f"epoch {standing.epoch + 1}  step {standing.step}  {shown}{'  (best)' if better else ''}")

    def quarantine(self, faults: Sequence[Fault], step: int) -> None:
        """Write down rows that could not be used, once each."""
        if self._journal is not None:
            with explained():
                new = self._journal.quarantine(faults, step)
            for fault in new:
                self.tell(f"quarantined {fault.id}: {fault.reason}")

    def sync(self) -> int:
        """Make sure that the metrics are on disk; returns their length in bytes."""
        if self._journal is None:
            return 0
        with explained():
            return self._journal.sync()

    def close(self) -> None:
        """Close what is open."""
        self._progress.close()
        for tracker in self._trackers:
            tracker.close()
        if self._journal is not None:
            self._journal.close()

    def _write(self, row: Mapping[str, Any]) -> None:
        if self._journal is not None:
            with explained():
                self._journal.write(row)
        for tracker in self._trackers:
            tracker.log(row["step"], {name: value for name, value in row.items() if "/" in name})
