"""The engine: trains any Learner, with exact resume, on one process or many."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import torch

from onsei.training.clock import Standing
from onsei.training.learner import BatchSource, Learner
from onsei.training.options import Training
from onsei.training.processes import Processes
from onsei.training.run import Run
from onsei.training.schedule import Schedule
from onsei.training.signals import StoppedError, watched
from onsei.training.trainee import Trainee


@dataclass(frozen=True)
class Summary:
    """What came of a run, over all its resumes."""

    steps: int
    epochs: int
    best: float | None
    """Best monitored value; None without validation."""
    seconds: float
    data_wait: float
    """Part of the training steps' time spent waiting for batches, 0..1."""
    skipped: int
    """Steps skipped because losses or gradients were not finite."""
    counts: Mapping[str, int]
    """Items that the Learner counted, by name."""
    quarantined: int
    """Rows that could not be used; known to the first process."""
    stopped: str
    """Why the run stopped."""

    def __str__(self) -> str:
        best = "" if self.best is None else f", best value {self.best:.4g}"
        lost = f", {self.skipped} steps skipped" if self.skipped else ""
        lost += "".join(f", {name.replace('_', ' ')}: {count}" for name, count in self.counts.items() if count)
        lost += f", {self.quarantined} rows in quarantine" if self.quarantined else ""
        time = f"{self.seconds:.1f} s ({self.data_wait:.1%} of stepping spent waiting for data)"
        return f"{self.stopped}: {self.steps} steps, {self.epochs} epochs in {time}{best}{lost}"


class Engine:
    """Trains Learners into one run folder.

    Args:
        options: how long and with what care.
        output_dir: the run folder; also the model folder that ``save`` writes at the end.
        resolved: the whole configuration as JSON values; written to ``config.yaml``.

    Raises:
        RunError: this machine lacks the device or precision asked for.
    """

    def __init__(self, options: Training, output_dir: Path, *, resolved: Mapping[str, Any]) -> None:
        self.options = options
        self.output_dir = Path(output_dir)
        self.resolved = _without_resume(resolved)
        if options.threads:
            torch.set_num_threads(options.threads)
        self.processes = Processes(options.device, options.precision, options.device_ids)

    def fit(
        self,
        learner: Learner,
        train: BatchSource,
        val: BatchSource | None,
        save: Callable[[Path, Mapping[str, Any]], None],
        *,
        schedules: Mapping[str, Schedule] | None = None,
    ) -> Summary:
        """Train ``learner``; afterwards its networks hold the best weights of the run.

        Args:
            save: called once by the first process, with the run folder and the training history as JSON values, when
                the networks hold the weights to save.
            schedules: by optimizer name, where it differs from the options' schedule.

        Raises:
            RunError: the folder holds another run; the checkpoint does not fit; memory or disk ran out; too many steps
                were not finite.
            SystemExit: SIGTERM (143) or SIGINT (130) came; a checkpoint was written.
        """
        with watched() as flag:
            trainee = Trainee(learner, self.options, self.processes, schedules or {})
            run = Run(trainee, self.options, self.output_dir, self.resolved, train, val, flag)
            try:
                stopped = run.train()
                chosen = run.use_best()
                summary = _summary(run, stopped)
                self.processes.from_first(lambda: save(self.output_dir, self._history(run, chosen, summary)))
                run.scribe.say(str(summary))
                self.processes.part_at_exit()
            except StoppedError as request:
                self._leave(run, request)
            finally:
                run.scribe.close()
        return summary

    def _leave(self, run: Run, request: StoppedError) -> NoReturn:
        run.checkpoint()
        self.processes.part_at_exit()
        name = signal.Signals(request.signal_number).name
        run.scribe.say(f"{name}: saved at step {run.standing.step}; go on with --continue-from {self.output_dir}")
        raise SystemExit(128 + request.signal_number)

    def _history(self, run: Run, chosen: Standing, summary: Summary) -> dict[str, Any]:
        return {
            "metrics": dict(chosen.values),
            "monitor": self.options.monitor,
            "best_step": chosen.step,
            "epochs": summary.epochs,
            "steps": summary.steps,
            "seconds": round(summary.seconds, 3),
            "skipped": summary.skipped,
            **summary.counts,
            **({"finetuned_from": run.standing.origin} if run.standing.origin else {}),
            "quarantined": summary.quarantined,
            "stopped": summary.stopped,
            "processes": self.processes.world,
            "device": self.processes.device.type,
            "started": run.standing.started,
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": shlex.join(["onsei", *sys.argv[1:]]),
        }


def _summary(run: Run, stopped: str) -> Summary:
    standing = run.standing
    return Summary(
        steps=standing.step,
        epochs=standing.epoch,
        best=standing.best,
        seconds=run.scribe.seconds,
        data_wait=standing.waited / standing.stepping if standing.stepping else 0.0,
        skipped=standing.skipped,
        counts=standing.counts,
        quarantined=run.scribe.quarantined,
        stopped=stopped,
    )


_FRESH = {"continue_from": "", "finetune": False}
"""Options that a run's own configuration must not hold: going on from it would take its first weights once more."""


def _without_resume(resolved: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration as of a new run: where it went on from is no part of what it is."""
    training = resolved.get("training")
    if isinstance(training, Mapping) and "continue_from" in training:
        return {**resolved, "training": {**training, **{k: v for k, v in _FRESH.items() if k in training}}}
    return dict(resolved)
