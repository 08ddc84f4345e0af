"""What the engine asks of a system that trains: the Learner, its batches and where they come from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from onsei.data.loader import Fault

__all__ = ["Batch", "BatchSource", "Clock", "Fault", "HasCompanions", "HasLargest", "Learner", "Update"]


class Update(Protocol):
    """``update(name, loss)``: take the gradients of ``loss`` for the parameters of one optimizer and of no other."""

    def __call__(self, name: str, loss: Tensor, *, keep: bool = False) -> None:
        """The engine weighs the gradients by ``batch.size`` over all processes and accumulated batches, and steps every
        updated optimizer when the window of batches is complete.

        Args:
            name: of the optimizer.
            loss: a mean over the batch's items.
            keep: whether a further loss of this batch has to go back through the same graph.
        """
        ...


@dataclass(frozen=True)
class Clock:
    """Where training stands when a batch is seen."""

    step: int
    """Optimizer steps done before this batch, from 0."""
    epoch: int
    """Epochs done before this batch, from 0."""
    seed: int
    """A seed for this very batch: a pure function of run seed, step, micro-batch and process."""


class Batch(Protocol):
    """Items of one step. ``size`` is the number of items that a mean loss is over; it may be 0."""

    @property
    def size(self) -> int:
        """Number of items; an empty batch is never shown to a Learner."""
        ...

    @property
    def faults(self) -> Sequence[Fault]:
        """Rows that were left out."""
        ...

    def to(self, device: torch.device, *, non_blocking: bool = False) -> Self:
        """The batch with its tensors on ``device``."""
        ...


class BatchSource(Protocol):
    """Batches of an epoch, the same for every number of processes and workers."""

    def count(self, epoch: int) -> int:
        """Number of batches in ``epoch`` over all processes."""
        ...

    def batches(self, epoch: int, start: int = 0, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        """Batches ``start + rank, start + rank + world, …`` of ``epoch``, counted over all processes."""
        ...

    def fingerprint(self) -> Mapping[str, Any]:
        """What an exact resume needs unchanged (rows, batch size, seed …): JSON values by the flags' names."""
        ...


@runtime_checkable
class HasLargest(Protocol):
    """A BatchSource that can show its largest batch, on which memory is estimated."""

    def largest(self, epoch: int) -> Batch:
        """The batch of ``epoch`` that needs the most memory."""
        ...


@runtime_checkable
class Learner(Protocol):
    """One stage of training, built by its system. Networks see no files, no engine and no logging."""

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """Networks by name. The engine moves them to the device and saves them; it leaves training or evaluation mode
        as the Learner set it, except for the time of a validation.
        """
        ...

    @property
    def optimizers(self) -> Mapping[str, Optimizer]:
        """Optimizers by name; their parameters, all of them in ``modules``, are what is trained."""
        ...

    def step(self, batch: Any, clock: Clock, update: Update) -> Mapping[str, Tensor]:
        """Learn from one batch: call ``update`` once per optimizer name.

        All optimizers step together after the window's last batch, so no network changes within ``step``.

        Returns:
            Scalars to log, means over the batch. One whose name ends in ``_count`` is a number of items: it is summed
            over the run and told at its end.
        """
        ...

    def check(self, batch: Any, clock: Clock) -> Mapping[str, Tensor]:
        """Validate on one batch, in evaluation mode without gradients.

        Returns:
            ``(total, count)`` by name, shape (2,); the engine sums both over batches and processes.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """What else must survive a resume (codebooks, temperatures): nested dicts, lists, tensors and JSON values."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what ``state_dict`` gave."""
        ...


@runtime_checkable
class HasCompanions(Protocol):
    """A Learner with networks that only training needs, such as discriminators: no model folder holds them."""

    @property
    def companions(self) -> Collection[str]:
        """Names of these modules. They begin anew where only the weights of a model are taken."""
        ...
