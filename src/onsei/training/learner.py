"""What the engine asks of a system that trains: the Learner, its batches and where they come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

Update = Callable[[str, Tensor], None]
"""``update(name, loss)``: take the gradients of ``loss``, a mean over the batch's items, for the parameters of the
optimizer ``name`` and of no other. The engine weighs them by ``batch.size`` over all processes and accumulated
batches, and steps every updated optimizer when the window of batches is complete."""


@dataclass(frozen=True)
class Clock:
    """Where training stands when a batch is seen."""

    step: int
    """Optimizer steps done before this batch, from 0."""
    epoch: int
    """Epochs done before this batch, from 0."""
    seed: int
    """A seed for this very batch: a pure function of run seed, step, micro-batch and process."""


@dataclass(frozen=True)
class Fault:
    """A row that could not be used; the run goes on and the summary counts it."""

    id: str
    file: str
    reason: str


class Batch(Protocol):
    """Items of one step. ``size`` is the number of items that a mean loss is over; it may be 0."""

    @property
    def size(self) -> int: ...
    @property
    def faults(self) -> Sequence[Fault]: ...
    def to(self, device: torch.device, *, non_blocking: bool = False) -> Self: ...


class BatchSource(Protocol):
    """Batches of an epoch, the same for every number of processes and workers."""

    def count(self, epoch: int) -> int:
        """Number of batches in ``epoch`` over all processes."""
        ...

    def batches(self, epoch: int, start: int = 0, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        """Batches ``start + rank, start + rank + world, …`` of ``epoch``; ``start`` counts batches over all processes."""
        ...

    def fingerprint(self) -> Mapping[str, Any]:
        """What an exact resume needs unchanged (rows, batch size, seed …), as JSON values with the flags' names as keys."""
        ...


@runtime_checkable
class Learner(Protocol):
    """One stage of training, built by its system. Networks see no files, no engine and no logging."""

    modules: Mapping[str, nn.Module]
    """Networks by name; the engine moves them to the device. Those with gradients are found through the optimizers."""
    optimizers: Mapping[str, Optimizer]

    def step(self, batch: Any, clock: Clock, update: Update) -> Mapping[str, Tensor]:
        """Learn from one batch: call ``update`` once per optimizer name. Returns scalars to log (means over the batch)."""
        ...

    def check(self, batch: Any, clock: Clock) -> Mapping[str, Tensor]:
        """Validate on one batch. Each value is ``(total, count)``, shape (2,); the engine sums over batches and processes."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What else must survive a resume (codebooks, temperatures): nested dicts and lists of tensors and JSON values."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what ``state_dict`` gave."""
        ...
