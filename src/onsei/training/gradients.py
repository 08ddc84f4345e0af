"""Gradients of a window of batches: taken by optimizer name, weighed by size, summed over processes, stepped together.

See ``docs/decisions/0002-engine-reduces-gradients.md`` for why the networks are not wrapped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from onsei.errors import RunError
from onsei.training.learner import Update
from onsei.training.processes import Processes

BUCKET_BYTES = 32 * 2**20
"""Gradients are summed over processes in flat pieces of about this size."""


@dataclass(frozen=True)
class Outcome:
    """What became of a window."""

    norms: Mapping[str, float] = field(default_factory=dict)
    """Norm of the gradients before clipping, by the name of each updated optimizer."""
    skipped: bool = False
    """Whether no step was made because a loss or a gradient was not finite."""
    overflow: bool = False
    """Whether only the gradients were not, and a loss scale above 1 can still be lowered: no fault of the rows."""
    bad: tuple[int, ...] = ()
    """This process's batches of the window, counted by ``take``, that had a loss that was not finite."""


@dataclass(frozen=True)
class _Vote:
    """What one process knows of a window; all must agree before they sum."""

    order: Sequence[str]
    taken: Mapping[str, Sequence[bool]]
    finite: bool


class Gradients:
    """Collects the gradients of a window of batches and steps the optimizers.

    Args:
        optimizers: by name; no parameter may belong to two.
        max_norm: clip the gradients of each optimizer to this norm; 0: never.
    """

    def __init__(self, optimizers: Mapping[str, Optimizer], processes: Processes, max_norm: float = 0.0) -> None:
        self._optimizers = optimizers
        self._processes = processes
        self._max_norm = max_norm
        self._parameters = _parameters(optimizers)
        self._order: list[str] = []
        self._losses: list[tuple[int, Tensor]] = []
        self._taken = 0
        if processes.scaler is not None:  # a process without a batch never scales a loss, but must know the scale
            processes.scaler.scale(torch.zeros((), device=processes.device))

    def open(self) -> None:
        """Begin a window. Until now the last window's gradients could be looked at."""
        self._order, self._losses, self._taken = [], [], 0
        for parameters in self._parameters.values():
            for parameter in parameters:
                parameter.grad = None

    def take(self, weight: float) -> Update:
        """The ``update`` for one batch that makes up ``weight`` (0..1) of the window."""
        number = self._taken
        self._taken += 1

        def update(name: str, loss: Tensor, *, keep: bool = False) -> None:
            if name not in self._parameters:
                known = ", ".join(self._parameters)
                raise ValueError(f"update({name!r}): the Learner has no such optimizer; it has {known}")
            if name not in self._order:
                self._order.append(name)
            with torch.autocast(loss.device.type, enabled=False):
                self._losses.append((number, loss.detach()))
                share = loss.float() * weight
                scaler = self._processes.scaler
                share = share if scaler is None else scaler.scale(share)
                trained = [p for p in self._parameters[name] if p.requires_grad]
                torch.autograd.backward(share, inputs=trained, retain_graph=keep)

        return update

    def close(self) -> Outcome:
        """Sum over the processes and step every updated optimizer, in the order of their first update."""
        finite = torch.stack([x.float().isfinite().all() for _, x in self._losses]).tolist() if self._losses else []
        bad = tuple(dict.fromkeys(n for (n, _), fine in zip(self._losses, finite, strict=True) if not fine))
        taken = {name: [p.grad is not None for p in self._parameters[name]] for name in self._order}
        votes = self._processes.gather(_Vote(self._order, taken, all(finite)))
        self._order = list(dict.fromkeys(name for vote in votes for name in vote.order))
        if not self._order:
            return Outcome()
        for name in self._order:
            self._sum(name, votes)
        return self._step(all(vote.finite for vote in votes), bad)

    def _sum(self, name: str, votes: Sequence[_Vote]) -> None:
        if self._processes.world == 1:
            return
        flags = [vote.taken[name] for vote in votes if name in vote.taken]
        grads = []
        for parameter, *taken in zip(self._parameters[name], *flags, strict=True):
            if any(taken):
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                grads.append(parameter.grad)
        for bucket in _buckets(grads):
            flat = torch.cat([grad.reshape(-1) for grad in bucket])
            self._processes.add(flat)
            parts = torch.split(flat, [grad.numel() for grad in bucket])
            for grad, part in zip(bucket, parts, strict=True):
                grad.copy_(part.view_as(grad))

    def _step(self, finite: bool, bad: tuple[int, ...]) -> Outcome:
        scaler = self._processes.scaler
        scaled = scaler is not None and scaler.get_scale() > 1.0
        tensors = {}
        for name in self._order:
            if scaler is not None:
                scaler.unscale_(self._optimizers[name])
            tensors[name] = nn.utils.get_total_norm([p.grad for p in self._parameters[name] if p.grad is not None])
        norms = dict(zip(tensors, torch.stack([n.float() for n in tensors.values()]).tolist(), strict=True))
        # Every process has the same sums, so every one comes to the same verdict.
        skipped = not (finite and all(math.isfinite(norm) for norm in norms.values()))
        for name in self._order if not skipped else ():
            if self._max_norm:
                nn.utils.clip_grads_with_norm_(self._parameters[name], self._max_norm, tensors[name])
            if scaler is None:
                self._optimizers[name].step()
            else:
                scaler.step(self._optimizers[name])
        if scaler is not None:
            scaler.update()
        return Outcome(norms, skipped, overflow=skipped and finite and scaled, bad=bad)


def _parameters(optimizers: Mapping[str, Optimizer]) -> dict[str, list[nn.Parameter]]:
    owner: dict[int, str] = {}
    found: dict[str, list[nn.Parameter]] = {}
    for name, optimizer in optimizers.items():
        found[name] = [p for group in optimizer.param_groups for p in group["params"]]
        for parameter in found[name]:
            other = owner.setdefault(id(parameter), name)
            if other != name:
                raise RunError(
                    f"optimizers {other!r} and {name!r} share a parameter of shape {tuple(parameter.shape)}",
                    "give every parameter to one optimizer",
                )
    return found


def _buckets(grads: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Consecutive gradients of one type, about ``BUCKET_BYTES`` at a time."""
    bucket: list[Tensor] = []
    size = 0
    for grad in grads:
        if bucket and (size >= BUCKET_BYTES or grad.dtype != bucket[0].dtype):
            yield bucket
            bucket, size = [], 0
        bucket.append(grad)
        size += grad.numel() * grad.element_size()
    if bucket:
        yield bucket
