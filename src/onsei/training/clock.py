"""Where a run stands, and the seeds that follow from it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Standing:
    """Where a run stands between two steps: all that a resume needs besides tensors."""

    run: str
    """Names the run through all its resumes, for trackers."""
    started: str = ""
    """When the run began: ISO 8601, UTC."""
    epoch: int = 0
    """Epochs done."""
    batch: int = 0
    """Batches of this epoch done, over all processes."""
    step: int = 0
    """Windows of batches done; one in which nothing was learned (not finite, or no items) counts too."""
    validated: int = -1
    """Step of the last validation."""
    values: Mapping[str, float] = field(default_factory=dict)
    """What the last validation gave, if no step was made since."""
    score: float | None = None
    """The monitored one of them, if it is a number."""
    best: float | None = None
    """Best monitored value so far."""
    best_step: int = -1
    since_best: int = 0
    """Validations since the best one."""
    since_change: int = 0
    """Validations since the best one or, if that is later, since the learning rate was lowered for want of better."""
    lowered: int = 0
    """How often the learning rate was lowered so."""
    skipped: int = 0
    """Steps skipped because the losses or gradients were not finite."""
    skipped_in_row: int = 0
    """Of them the last ones, without a step between; one that only looks for a loss scale is none."""
    origin: str = ""
    """What the first weights were taken from; empty: they were drawn by chance."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Items that the Learner counted, by name, over the run."""
    seconds: float = 0.0
    """Time spent, over all resumes."""
    stepping: float = 0.0
    """Seconds of it spent on training steps, waiting for batches included."""
    waited: float = 0.0
    """Seconds of that spent waiting for batches."""

    def stepped(
        self,
        *,
        batch: int,
        skipped: bool,
        seconds: float,
        waited: float,
        overflow: bool = False,
        counts: Mapping[str, int] | None = None,
    ) -> Standing:
        """After a window that ends before batch number ``batch``.

        Args:
            skipped: whether it made no step.
            seconds, waited: what it took, and the part of it spent waiting for batches.
            overflow: whether the loss scale was too high, and no more.
            counts: items counted in it.
        """
        return replace(
            self,
            batch=batch,
            step=self.step + 1,
            values={},
            score=None,
            skipped=self.skipped + skipped,
            skipped_in_row=self.skipped_in_row + (not overflow) if skipped else 0,
            counts={**self.counts, **{name: self.counts.get(name, 0) + n for name, n in (counts or {}).items()}},
            stepping=self.stepping + seconds,
            waited=self.waited + waited,
        )

    def judged(self, values: Mapping[str, float], monitor: str, mode: str, lower_after: int | None = None) -> Standing:
        """After a validation that gave ``values``; more than ``lower_after`` in a row without a better one count as a
        plateau, at which the learning rate is lowered.
        """
        score = values[monitor]
        better = _is_better(score, self.best, mode)
        since_change = 0 if better else self.since_change + 1
        lower = lower_after is not None and since_change > lower_after
        return replace(
            self,
            validated=self.step,
            values=dict(values),
            score=None if math.isnan(score) else score,
            best=score if better else self.best,
            best_step=self.step if better else self.best_step,
            since_best=0 if better else self.since_best + 1,
            since_change=0 if lower else since_change,
            lowered=self.lowered + lower,
        )


def _is_better(value: float, best: float | None, mode: str) -> bool:
    """Not a number never is."""
    if math.isnan(value):
        return False
    return best is None or (value > best if mode == "max" else value < best)


def derive_seed(seed: int, *place: object) -> int:
    """A seed in 0 … 2^63 for ``place`` in a run: a pure function of its arguments."""
    name = "/".join(map(str, (seed, *place)))
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") >> 1


def derive_batch_seed(seed: int, step: int, micro: int, rank: int, world: int) -> int:
    """The seed of a training batch. It depends on the batch's place in the window, not on how processes share it."""
    return derive_seed(seed, "step", step, micro * world + rank)
