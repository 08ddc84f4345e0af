"""One run: the loop over epochs and windows of batches, with validations and checkpoints between."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from torch import Tensor

from onsei.errors import RunError
from onsei.training import checkpoint as checkpoints
from onsei.training import resume, transfer
from onsei.training.clock import Standing
from onsei.training.failures import explained, next_batch, told_suspects
from onsei.training.learner import Batch, BatchSource, HasLargest
from onsei.training.options import Training
from onsei.training.profiling import profiled
from onsei.training.schedule import Position
from onsei.training.scribe import Scribe
from onsei.training.signals import StopFlag, StoppedError
from onsei.training.trainee import Lesson, Trainee
from onsei.training.validation import rehearse, validate


class Run:
    """A run from where it starts to where it stops.

    Args:
        folder: the run folder.
        resolved: the whole configuration, written into the folder.
        flag: shows whether the run is asked to stop.
    """

    def __init__(
        self,
        trainee: Trainee,
        training: Training,
        folder: Path,
        resolved: Mapping[str, Any],
        train: BatchSource,
        val: BatchSource | None,
        flag: StopFlag,
    ) -> None:
        self._trainee, self._training, self._folder = trainee, training, folder
        self._train, self._val, self._flag = train, val, flag
        self._processes = trainee.processes
        self._stride = self._processes.world * training.accumulate
        self._windows = self._first_windows = self._count_windows(0)
        source, system = training.continue_from, trainee.system
        start = self._processes.from_first(
            lambda: resume.choose_start(source, folder, finetune=training.finetune, system=system)
        )
        notes: list[str] = list(start.notes)
        metrics_bytes = 0
        self.standing = self._processes.from_first(_new_standing)
        if start.checkpoint is not None:
            metrics_bytes = self._restore(start.checkpoint, notes)
        elif training.finetune:
            notes.extend(trainee.take_weights(lambda: transfer.open_origin(source, system)))
            self.standing = replace(self.standing, origin=source)
        if val is not None:
            rehearse(trainee, val, training)
        self.scribe = Scribe(
            training,
            folder,
            resolved,
            self.standing,
            main=self._processes.main,
            metrics_bytes=metrics_bytes,
            source=start.source,
            done=self._position().progress,
        )
        for note in (*self._processes.notes, *notes, *self._short_of_warmth()):
            self.scribe.say(note)
        self._estimated = not training.estimate_memory
        self._suspects: list[tuple[int, tuple[str, ...]]] = []
        self._saved: Standing | None = self.standing if start.checkpoint and not start.source else None

    def train(self) -> str:
        """Train until there is a reason to stop; returns it.

        Raises:
            StoppedError: the run was asked to stop; call ``checkpoint``.
            RunError: too many steps in a row were not finite; out of memory; a loader process died.
        """
        with profiled(self._folder / "profile", self._training.profile and self._processes.main) as self._profile:
            while not (reason := self._reason_to_stop()):
                self._epoch()
        if self.standing.validated != self.standing.step:
            self._validate()
        if self._saved != self.standing:
            self.checkpoint()
        return reason

    def checkpoint(self) -> None:
        """Write a checkpoint of this moment, and remove those that need not be kept."""
        statistics = self._trainee.gather_statistics()
        self._processes.from_first(lambda: self._write_checkpoint(statistics))
        self._saved = self.standing

    def use_best(self) -> Standing:
        """Give the networks the best weights of the run, averaged where they are; returns where the run stood then."""
        best = self._processes.from_first(lambda: checkpoints.find_best(self._folder, self._training.mode))
        if best is not None and best.standing.step != self.standing.step:
            self._trainee.load_weights(best.read_state(), str(best.path))
        self._trainee.use_averages()
        return self.standing if best is None else best.standing

    def _write_checkpoint(self, statistics: list[dict[str, Tensor]]) -> None:
        training = self._training
        checkpoints.write(
            self._folder,
            self._trainee.state_dict(statistics),
            standing=replace(self.standing, seconds=self.scribe.seconds),
            learner=self._trainee.name,
            world=self._processes.world,
            fingerprint=self._train.fingerprint(),
            metrics_bytes=self.scribe.sync(),
        )
        checkpoints.prune(self._folder, keep=training.keep, mode=training.mode, every_epoch=training.checkpoint)

    def _restore(self, path: Path, notes: list[str]) -> int:
        """Take everything from the checkpoint ``path``; returns how long the metrics were."""
        chosen = checkpoints.read(path)
        name = self._trainee.name
        other = f" (made by {chosen.learner}; this run trains {name})" if chosen.learner != name else ""
        notes.extend([f"{path}{other}"] if other else [])
        changes = self._trainee.load_state_dict(chosen.read_state(), f"{path}{other}")
        notes.extend(resume.check_source(chosen, self._train.fingerprint(), self._processes.world))
        notes.extend(changes)
        self.standing = chosen.standing
        return chosen.metrics_bytes

    def _reason_to_stop(self) -> str:
        training, standing = self._training, self.standing
        if standing.epoch >= training.epochs:
            return "all epochs done"
        if training.max_steps and standing.step >= training.max_steps:
            return f"reached {standing.step} steps"
        if training.patience and standing.since_best >= training.patience:
            return f"no better {training.monitor} in {standing.since_best} validations"
        if training.schedule == "plateau" and training.stop_at_floor:
            part = training.plateau_factor**standing.lowered
            if part <= max(training.learning_floor, 1e-12):
                return f"the learning rate has come down to {training.learning_floor:g} of the first"
        return ""

    def _epoch(self) -> None:
        """Train to the end of the epoch, or until there is another reason to stop."""
        standing, processes = self.standing, self._processes
        count = self._train.count(standing.epoch)
        self._windows = self._count_windows(standing.epoch)
        batches = self._train.batches(standing.epoch, standing.batch, processes.rank, processes.world)
        try:
            while True:
                if self._is_validation_due():
                    self._validate()
                    self.checkpoint()
                if self._reason_to_stop() or self.standing.batch >= count:
                    break
                self._window(batches, count)
        finally:
            close = getattr(batches, "close", None)
            if close is not None:  # a generator: its loader processes need not fill their queues
                close()
        if self.standing.batch >= count:
            if not self._training.validate_steps and self.standing.validated != self.standing.step:
                self._validate()
            self.standing = replace(self.standing, epoch=self.standing.epoch + 1, batch=0)
            self.checkpoint()

    def _is_validation_due(self) -> bool:
        every, standing = self._training.validate_steps, self.standing
        return bool(every) and standing.step > 0 and standing.step % every == 0 and standing.validated != standing.step

    def _window(self, source: Iterator[Batch], count: int) -> None:
        """Learn from the next window of batches."""
        began, before = time.monotonic(), self.standing
        batches = self._fetch(source, count)
        waited = time.monotonic() - began
        faults = [fault for batch in batches for fault in batch.faults]
        parts = self._processes.gather((sum(batch.size for batch in batches), self._flag.signal_number, faults))
        if signal_number := max(part[1] for part in parts):
            raise StoppedError(signal_number)
        self.scribe.quarantine([fault for part in parts for fault in part[2]], before.step)
        self._estimate_memory(batches)
        rates = self._trainee.rates.set(self._position())
        with explained(self._train, max(batches, key=lambda batch: batch.size, default=None)):
            lesson = self._trainee.learn(batches, sum(part[0] for part in parts), before)
        seconds = time.monotonic() - began
        self.standing = before.stepped(
            batch=min(before.batch + self._stride, count),
            skipped=lesson.outcome.skipped,
            overflow=lesson.outcome.overflow,
            counts=lesson.counts,
            seconds=seconds,
            waited=waited,
        )
        self._note_skip(lesson)
        done = self._position().progress
        self.scribe.write_step(self.standing, lesson, rates, waited / max(seconds, 1e-9), done)
        self._profile()
        self._check_finite()
        every = self._training.checkpoint_per_batch
        crossed = bool(every) and self.standing.batch // every > before.batch // every
        if crossed and self.standing.batch < count and not self._is_validation_due():
            self.checkpoint()

    def _fetch(self, source: Iterator[Batch], count: int) -> list[Batch]:
        """This process's batches of the window; at an epoch's end there may be none."""
        first = self.standing.batch
        places = range(first + self._processes.rank, min(first + self._stride, count), self._processes.world)
        batches = []
        for place in places:
            batch = next_batch(source, self._train, self._flag)
            if batch is None and self._flag.signal_number:
                break
            if batch is None:
                epoch = self.standing.epoch + 1
                raise RunError(f"epoch {epoch}: {count} batches were announced, but number {place} did not come")
            batches.append(batch)
        return batches

    def _validate(self) -> None:
        training = self._training
        if self._val is None:
            self.standing = replace(self.standing, validated=self.standing.step)
            return
        began = time.monotonic()
        values, faults = validate(self._trainee, self._val, self.standing, training.seed, self._flag)
        self.scribe.quarantine(faults, self.standing.step)
        if training.monitor not in values:
            raise RunError(f"training.monitor: validation gave no {training.monitor}", "check the validation rows")
        self.standing = self.standing.judged(values, training.monitor, training.mode, self._lower_after)
        self.scribe.write_validation(self.standing, time.monotonic() - began, self._trainee.parameters())

    @property
    def _lower_after(self) -> int | None:
        return self._training.plateau_patience if self._training.schedule == "plateau" else None

    def _note_skip(self, lesson: Lesson) -> None:
        if not lesson.outcome.skipped:
            self._suspects = []
        elif lesson.outcome.overflow:
            self.scribe.tell(f"step {self.standing.step} skipped: the loss scale was too high and is lowered")
        else:
            self._suspects.append((self.standing.step, lesson.suspects))
            self.scribe.say(f"skipped step {told_suspects(self._suspects[-1:])}")

    def _check_finite(self) -> None:
        row = self.standing.skipped_in_row
        if row >= self._training.max_skipped:
            raise RunError(
                f"step {self.standing.step}: the losses or gradients of {row} steps in a row were not finite\n  "
                + told_suspects(self._suspects),
                "lower the learning rate, set --max-norm, raise --warmup-steps or choose --precision fp32, and go on "
                "from the last checkpoint: its weights are whole",
            )

    def _estimate_memory(self, batches: Sequence[Batch]) -> None:
        if self._estimated or not batches:
            return
        self._estimated = True
        known = isinstance(self._train, HasLargest)
        batch = self._train.largest(self.standing.epoch) if isinstance(self._train, HasLargest) else batches[0]
        if not batch.size:
            return
        # As of the last step: what a Learner keeps frozen at first is trained by then.
        last = replace(self.standing, step=max(self.standing.step, self._position().total_steps - 1))
        with explained(self._train, batch):
            found = self._trainee.estimate_memory(batch, last)
        self.scribe.tell(f"{found} ({'largest batch' if known else 'first batch; larger ones need more'})")
        if not found.fits:
            self.scribe.say("this will hardly fit: lower --batch-seconds or --batch-size, then --precision bf16")

    def _count_windows(self, epoch: int) -> int:
        count = self._train.count(epoch)
        if count < 1:
            raise RunError("the training rows make no batch", "check --train-manifest with `onsei data check`")
        return -(-count // self._stride)

    def _short_of_warmth(self) -> list[str]:
        """What is to be said of a run that ends before its warm-up does."""
        steps, warmup = self._position().total_steps, self._training.warmup_steps
        if steps >= warmup:
            return []
        return [
            f"warmup_steps {warmup}: the run has {steps} steps and never comes to the learning rate asked for; "
            f"--warmup-steps {steps // 10} would do"
        ]

    def _position(self) -> Position:
        training, standing = self._training, self.standing
        within = min(standing.batch / self._stride / self._windows, 1.0)
        progress = min((standing.epoch + within) / training.epochs, 1.0)
        total = self._first_windows * training.epochs
        if training.max_steps:
            progress = min(max(progress, standing.step / training.max_steps), 1.0)
            total = min(total, training.max_steps)
        return Position(standing.step, standing.epoch, progress, total, standing.lowered)


def _new_standing() -> Standing:
    return Standing(run=uuid.uuid4().hex[:12], started=datetime.now(UTC).isoformat(timespec="seconds"))
