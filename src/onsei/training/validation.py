"""Validation: sums over batches and processes, no row twice, with the averaged weights where there are any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from onsei.errors import RunError
from onsei.training.clock import Standing, derive_seed
from onsei.training.failures import explained, next_batch
from onsei.training.learner import BatchSource, Clock, Fault
from onsei.training.options import Training
from onsei.training.processes import Processes
from onsei.training.signals import StopFlag, StoppedError
from onsei.training.trainee import Trainee


def validate(
    trainee: Trainee, source: BatchSource, standing: Standing, seed: int, flag: StopFlag
) -> tuple[dict[str, float], list[Fault]]:
    """Values by name (``val/…``) over all batches of ``source``, and the rows that could not be used.

    The batches' seeds are the same at every validation, so that values can be compared.

    Raises:
        StoppedError: the run was asked to stop.
    """
    processes = trainee.processes
    totals: dict[str, tuple[float, float]] = {}
    faults: list[Fault] = []
    batches = source.batches(0, 0, processes.rank, processes.world)
    with trainee.validating():
        for first in range(0, source.count(0), processes.world):
            _obey(flag, processes)
            batch = next_batch(batches, source, flag)
            if batch is None:
                continue
            faults.extend(batch.faults)
            if batch.size:
                clock = _clock(standing, seed, first + processes.rank)
                with explained(source, batch):
                    _add(totals, read_sums(trainee.check(batch, clock)))
    _obey(flag, processes)
    merged: dict[str, tuple[float, float]] = {}
    everyone = processes.gather((totals, faults))
    for part, _ in everyone:
        _add(merged, part)
    values = {f"val/{name}": total / count if count else float("nan") for name, (total, count) in merged.items()}
    return values, [fault for _, found in everyone for fault in found]


def rehearse(trainee: Trainee, source: BatchSource, training: Training) -> None:
    """Validate on one batch before training, so that a mistake shows itself before an epoch is lost.

    Raises:
        RunError: the monitored value is not among those that validation gives.
    """
    batches = source.batches(0)
    with trainee.validating(), explained(source):
        batch = next((batch for batch in batches if batch.size), None)
        if batch is None:
            raise RunError("the validation rows make no batch", "check --val-manifest with `onsei data check`")
        names = [f"val/{name}" for name in read_sums(trainee.check(batch, _clock(Standing(""), training.seed, 0)))]
    if training.monitor not in names:
        raise RunError(
            f"training.monitor: expected one of {', '.join(names)}; found {training.monitor}",
            f"choose --monitor {names[0] if names else 'another'}",
        )


def read_sums(values: Mapping[str, Tensor]) -> dict[str, tuple[float, float]]:
    """``(total, count)`` by name, from what a Learner's ``check`` returns."""
    sums = {}
    for name, value in values.items():
        if value.shape != (2,):
            raise ValueError(f"check: expected (total, count), shape (2,), for {name!r}; found {tuple(value.shape)}")
        total, count = value.tolist()
        sums[name] = (float(total), float(count))
    return sums


def _obey(flag: StopFlag, processes: Processes) -> None:
    if signal_number := max(processes.gather(flag.signal_number)):
        raise StoppedError(signal_number)


def _clock(standing: Standing, seed: int, place: int) -> Clock:
    return Clock(step=standing.step, epoch=standing.epoch, seed=derive_seed(seed, "check", place))


def _add(sums: dict[str, tuple[float, float]], part: Mapping[str, Any]) -> None:
    for name, (total, count) in part.items():
        old_total, old_count = sums.get(name, (0.0, 0.0))
        sums[name] = (old_total + total, old_count + count)
