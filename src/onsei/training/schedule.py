"""Learning rates over the course of a run, as pure functions of where it stands."""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from torch.optim import Optimizer

from onsei.training.options import Shape, Training


@dataclass(frozen=True)
class Position:
    """A place in the course of a run."""

    step: int
    epoch: int
    progress: float
    """Part of the run that is done, 0..1."""
    total_steps: int
    """Steps of the whole run, as far as can be told."""
    lowered: int = 0
    """How often validation stood still, as ``Standing.lowered``."""


@dataclass(frozen=True)
class Schedule:
    """The factor on an optimizer's learning rate. Fields as in ``Training``."""

    shape: Shape = "constant"
    warmup_steps: int = 0
    learning_anneal: float = 1.1
    floor: float = 0.0
    plateau_factor: float = 0.5

    @classmethod
    def from_options(cls, training: Training) -> Schedule:
        """The schedule that the run's options ask for."""
        return cls(
            training.schedule,
            training.warmup_steps,
            training.learning_anneal,
            training.learning_floor,
            training.plateau_factor,
        )

    def factor(self, at: Position) -> float:
        """What to multiply the learning rate with for the step at ``at``."""
        warmup = min(1.0, (at.step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        if self.shape == "constant":
            return warmup
        if self.shape == "anneal":
            return float(warmup * self.learning_anneal**-at.epoch)
        if self.shape == "plateau":
            return float(warmup * max(self.floor, self.plateau_factor**at.lowered))
        start = min(self.warmup_steps / max(at.total_steps, 1), 1.0)
        done = min(max((at.progress - start) / (1.0 - start), 0.0), 1.0) if start < 1.0 else 0.0
        left = 1.0 - done if self.shape == "linear" else (1.0 + math.cos(math.pi * done)) / 2.0
        return warmup * (self.floor + (1.0 - self.floor) * left)


class Rates:
    """Sets the learning rates of a Learner's optimizers, each by the schedule of its name."""

    def __init__(self, optimizers: Mapping[str, Optimizer], schedules: Mapping[str, Schedule]) -> None:
        self._optimizers = optimizers
        self._schedules = schedules
        self._initial = {name: _settings(optimizer) for name, optimizer in optimizers.items()}

    def set(self, at: Position) -> dict[str, float]:
        """Set the rates for the step at ``at``; returns the first group's by optimizer name."""
        for name, optimizer in self._optimizers.items():
            factor = self._schedules[name].factor(at)
            for group, initial in zip(optimizer.param_groups, self._initial[name], strict=True):
                group["lr"] = initial["lr"] * factor
        return {name: float(optimizer.param_groups[0]["lr"]) for name, optimizer in self._optimizers.items()}

    def state_dict(self) -> dict[str, Any]:
        """The optimizers' settings at the start of the run."""
        return deepcopy(self._initial)

    def load_state_dict(self, state: Mapping[str, Any]) -> list[str]:
        """Call once the optimizers have their state back: settings that this command changed win over saved ones.

        An optimizer may also keep running numbers among its settings; those go on from the checkpoint.

        Returns:
            The changes, each as ``name: setting old → new``.
        """
        changes: dict[str, None] = {}
        for name, optimizer in self._optimizers.items():
            for group, now, then in zip(optimizer.param_groups, self._initial[name], state[name], strict=True):
                for key in now:
                    if key in then and now[key] != then[key]:
                        group[key] = deepcopy(now[key])
                        changes[f"{name}: {key} {then[key]} → {now[key]}"] = None
        return list(changes)


def _settings(optimizer: Optimizer) -> list[dict[str, Any]]:
    keep = (bool, int, float, str, tuple, list, type(None))
    return [
        {key: deepcopy(value) for key, value in group.items() if key != "params" and isinstance(value, keep)}
        for group in optimizer.param_groups
    ]
