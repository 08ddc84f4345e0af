"""A Learner in the engine's hands: learning from windows of batches, averaged weights, and its whole state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from onsei.errors import RunError
from onsei.nn.ema import ExponentialMovingAverage
from onsei.training import memory
from onsei.training.clock import Standing, derive_batch_seed
from onsei.training.failures import suspects
from onsei.training.gradients import Gradients, Outcome
from onsei.training.learner import Batch, Clock, Learner
from onsei.training.options import Training
from onsei.training.processes import Processes
from onsei.training.schedule import Rates, Schedule
from onsei.training.state import describe_difference, moved
from onsei.training.transfer import Origin, take

STATISTICS = ("running_mean", "running_var")
"""Buffers that each process fills from its own batches."""
COUNT = "_count"
"""What the name of a number of items ends in, where a Learner logs one."""


@dataclass(frozen=True)
class Lesson:
    """What came of a window of batches."""

    outcome: Outcome
    values: Mapping[str, float]
    """What the Learner logged, weighed by the batches' sizes over all processes."""
    counts: Mapping[str, int]
    """What it counted, summed over all processes."""
    suspects: tuple[str, ...] = ()
    """Where no step was made: ids of the rows in whose batches it went wrong, over all processes."""


class Trainee:
    """Everything that changes while a Learner is trained.

    Args:
        schedules: of optimizers whose learning rate takes another course than the options say.
    """

    def __init__(
        self, learner: Learner, training: Training, processes: Processes, schedules: Mapping[str, Schedule]
    ) -> None:
        unknown = sorted(set(schedules) - set(learner.optimizers))
        if unknown:
            raise ValueError(f"schedules: the Learner has no optimizer {', '.join(unknown)}")
        self.learner = learner
        self.processes = processes
        self._seed = training.seed
        for module in learner.modules.values():
            module.to(processes.device)
            processes.align([tensor.detach() for tensor in (*module.parameters(), *module.buffers())])
        default = Schedule.from_options(training)
        self.rates = Rates(learner.optimizers, {name: schedules.get(name, default) for name in learner.optimizers})
        self._gradients = Gradients(learner.optimizers, processes, training.max_norm)
        self._trained = self._find_trained()
        self._kept = {name: buffer.clone() for name, buffer in self._buffers().items()}
        averaged = self._trained | {name: b for name, b in self._buffers().items() if b.is_floating_point()}
        self._ema = ExponentialMovingAverage(averaged, training.ema_decay) if training.ema_decay else None

    @property
    def name(self) -> str:
        """Module and name of the Learner's class."""
        return f"{type(self.learner).__module__}:{type(self.learner).__qualname__}"

    @property
    def system(self) -> str | None:
        """The system whose Learner it is; None where it is of none."""
        module = type(self.learner).__module__
        return module.split(".")[2] if module.startswith("onsei.systems.") else None

    def learn(self, batches: Sequence[Batch], total: int, standing: Standing) -> Lesson:
        """Make one step from this process's ``batches`` of a window that holds ``total`` items over all processes."""
        sums: dict[str, tuple[float, float]] = {}
        seen: list[Batch] = []
        for name, buffer in self._buffers().items():
            self._kept[name].copy_(buffer)
        self._gradients.open()
        for micro, batch in enumerate(batches):
            if not batch.size:
                continue
            seen.append(batch)
            values = self._step(batch.to(self.processes.device, non_blocking=True), micro, total, standing)
            for name, value in values.items():
                old, weight = sums.get(name, (0.0, 0))
                share = 1 if name.endswith(COUNT) else batch.size
                sums[name] = (old + value * share, weight + share)
        outcome = self._gradients.close()
        if self._ema is not None and not outcome.skipped and outcome.norms:
            self._ema.update()
        values, counts = self._merged(sums)
        return Lesson(outcome, values, counts, self._take_back(seen, outcome) if outcome.skipped else ())

    def estimate_memory(self, batch: Batch, standing: Standing) -> memory.Estimate:
        """See ``memory.estimate``."""
        clock = self._clock(standing, micro=0)
        torch.manual_seed(clock.seed)
        batch = batch.to(self.processes.device)
        return memory.estimate(self.learner, batch, clock, self.processes)

    def check(self, batch: Batch, clock: Clock) -> Mapping[str, Tensor]:
        """The Learner's ``check`` of one batch; call within ``validating``."""
        torch.manual_seed(clock.seed)
        with self.processes.autocast():
            return self.learner.check(batch.to(self.processes.device, non_blocking=True), clock)

    @contextmanager
    def validating(self) -> Iterator[None]:
        """Networks in evaluation mode, with averaged weights and statistics; afterwards exactly as before."""
        own = {name: tensor.clone() for name, tensor in self._statistics().items()}
        modes = [(part, part.training) for module in self.learner.modules.values() for part in module.modules()]
        self.average_statistics()
        with ExitStack() as stack:
            stack.callback(self._load_statistics, own)
            if self._ema is not None:
                stack.enter_context(self._ema.swapped())
            stack.enter_context(torch.no_grad())
            for module in self.learner.modules.values():
                module.eval()
            try:
                yield
            finally:
                for part, mode in modes:
                    part.training = mode

    def average_statistics(self) -> None:
        """Make the running statistics of normalization layers the mean over the processes."""
        world = self.processes.world
        for tensor in self._statistics().values() if world > 1 else ():
            self.processes.add(tensor)
            tensor.div_(world)

    def gather_statistics(self) -> list[dict[str, Tensor]]:
        """Every process's own running statistics, by rank; for ``state_dict``."""
        return self.processes.gather({name: tensor.cpu() for name, tensor in self._statistics().items()})

    def parameters(self) -> dict[str, Tensor]:
        """Weights by module and name."""
        modules = self.learner.modules.items()
        return {f"{name}.{key}": p for name, module in modules for key, p in module.named_parameters()}

    def use_averages(self) -> None:
        """Give the networks their averaged weights, and the mean statistics of all processes, for good."""
        self.average_statistics()
        if self._ema is not None:
            self._ema.write_to_tensors()

    def state_dict(self, statistics: list[dict[str, Tensor]]) -> dict[str, Any]:
        """All of it, as nested state, with the running statistics of all processes."""
        learner, scaler = self.learner, self.processes.scaler
        return {
            "modules": {name: module.state_dict() for name, module in learner.modules.items()},
            "optimizers": {name: optimizer.state_dict() for name, optimizer in learner.optimizers.items()},
            "rates": self.rates.state_dict(),
            "ema": None if self._ema is None else self._ema.state_dict(),
            "learner": learner.state_dict(),
            "scaler": None if scaler is None else scaler.state_dict(),
            "statistics": statistics,
        }

    def take_weights(self, open_origin: Callable[[], Origin]) -> list[str]:
        """Begin with the weights of another training, read by the first process; returns what the user should know.

        Raises:
            RunError, ModelError: there are none, or they are another network's.
        """
        notes = self.processes.from_first(lambda: take(self.learner, open_origin()))
        for module in self.learner.modules.values():
            self.processes.align([tensor.detach() for tensor in (*module.parameters(), *module.buffers())])
        if self._ema is not None:
            self._ema.restart()
        return notes

    def load_weights(self, state: Mapping[str, Any], source: str) -> None:
        """Take the weights, their averages, the mean statistics and the Learner's own state from ``state``.

        Raises:
            RunError: the networks of ``source`` are not these.
        """
        saved = {f"{name}.{key}": t for name, part in state["modules"].items() for key, t in part.items()}
        here = {f"{n}.{key}": t for n, module in self.learner.modules.items() for key, t in module.state_dict().items()}
        difference = describe_difference(saved, here)
        if difference:
            raise RunError(
                f"{source}: made by another network: {difference}",
                "continue with the configuration in that run's config.yaml, or start a new run",
            )
        for name, module in self.learner.modules.items():
            module.load_state_dict(state["modules"][name])
        if self._ema is not None and state["ema"] is not None:
            self._ema.load_state_dict(state["ema"])
        elif self._ema is not None:
            self._ema.restart()
        self.learner.load_state_dict(moved(state["learner"], self.processes.device))
        parts = state["statistics"]
        self._load_statistics({name: torch.stack([part[name] for part in parts]).mean(0) for name in parts[0]})

    def load_state_dict(self, state: Mapping[str, Any], source: str) -> list[str]:
        """Take back all of ``state``; returns what this command's options change in it.

        Raises:
            RunError: the networks or optimizers of ``source`` are not these.
        """
        self.load_weights(state, source)
        try:
            for name, optimizer in self.learner.optimizers.items():
                optimizer.load_state_dict(state["optimizers"][name])
        except (KeyError, ValueError) as error:
            raise RunError(
                f"{source}: made with other optimizers ({error})", "continue with that run's own configuration"
            ) from error
        if len(state["statistics"]) == self.processes.world:
            self._load_statistics(state["statistics"][self.processes.rank])
        changes = self.rates.load_state_dict(state["rates"])
        if (self._ema is None) != (state["ema"] is None):
            changes.append(
                "ema_decay: averages start here" if self._ema is not None else "ema_decay: averages are dropped"
            )
        if self.processes.scaler is not None and state["scaler"] is not None:
            self.processes.scaler.load_state_dict(state["scaler"])
        return changes

    def _step(self, batch: Batch, micro: int, total: int, standing: Standing) -> dict[str, float]:
        clock = self._clock(standing, micro)
        torch.manual_seed(clock.seed)
        with self.processes.autocast():
            logged = self.learner.step(batch, clock, self._gradients.take(batch.size / total))
        if not logged:
            return {}
        values = torch.stack([value.detach().float().reshape(()) for value in logged.values()])
        return dict(zip(logged, values.tolist(), strict=True))

    def _clock(self, standing: Standing, micro: int) -> Clock:
        seed = derive_batch_seed(self._seed, standing.step, micro, self.processes.rank, self.processes.world)
        return Clock(standing.step, standing.epoch, seed)

    def _take_back(self, batches: Sequence[Batch], outcome: Outcome) -> tuple[str, ...]:
        """Undo what the window left in running statistics; returns the ids of the rows that are under suspicion."""
        for name, buffer in self._buffers().items():
            buffer.copy_(self._kept[name])
        everyone = self.processes.gather([suspects(batches[number]) for number in outcome.bad])
        found = [ids for part in everyone for ids in part]
        if not found:  # the losses were finite, the gradients not
            found = [ids for part in self.processes.gather([suspects(batch) for batch in batches]) for ids in part]
        return tuple(id_ for ids in found for id_ in ids)

    def _merged(self, sums: Mapping[str, tuple[float, float]]) -> tuple[dict[str, float], dict[str, int]]:
        """Means and counts over all processes."""
        merged: dict[str, tuple[float, float]] = {}
        for part in self.processes.gather(sums):
            for name, (value, weight) in part.items():
                old, old_weight = merged.get(name, (0.0, 0.0))
                merged[name] = (old + value, old_weight + weight)
        means = {name: value / weight for name, (value, weight) in merged.items() if not name.endswith(COUNT)}
        counts = {name.removesuffix(COUNT): round(value) for name, (value, _) in merged.items() if name.endswith(COUNT)}
        return means, counts

    def _statistics(self) -> dict[str, Tensor]:
        live = {name: tensor for name, tensor in self._buffers().items() if name.endswith(STATISTICS)}
        averages = self._ema.averages(STATISTICS) if self._ema is not None else {}
        return live | {f"average of {name}": tensor for name, tensor in averages.items()}

    def _load_statistics(self, saved: Mapping[str, Tensor]) -> None:
        for name, tensor in self._statistics().items():
            if name in saved:  # an average that is new at this resume is not
                tensor.copy_(saved[name])

    def _buffers(self) -> dict[str, Tensor]:
        modules = self.learner.modules.items()
        return {f"{name}.{key}": b for name, module in modules for key, b in module.named_buffers()}

    def _find_trained(self) -> dict[str, Tensor]:
        """Weights that have an optimizer, by module and name."""
        groups = [group for optimizer in self.learner.optimizers.values() for group in optimizer.param_groups]
        trained = {id(parameter) for group in groups for parameter in group["params"]}
        found = {name: p for name, p in self.parameters().items() if id(p) in trained}
        missing = len(trained) - len({id(p) for p in found.values()})
        if missing:  # it would be neither moved to the device nor saved
            raise ValueError(f"{missing} parameters of the Learner's optimizers are in none of its modules")
        return found
