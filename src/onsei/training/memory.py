"""An estimate, before the first step, of the memory a run will need."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil  # type: ignore[import-untyped]
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from onsei.training.learner import Batch, Clock, Learner
from onsei.training.processes import Processes


@dataclass(frozen=True)
class Estimate:
    """Bytes that one process needs, and those that are free for it."""

    weights: int
    gradients: int
    optimizers: int
    activations: int
    """What the backward pass needs of the largest batch."""
    free: int

    @property
    def further(self) -> int:
        """Bytes that are still to be allocated; the weights stand already."""
        return self.gradients + self.optimizers + self.activations

    @property
    def fits(self) -> bool:
        """Whether what is still to be allocated is free, with a tenth to spare."""
        return self.further * 1.1 <= self.free

    def __str__(self) -> str:
        names = ("weights", "gradients", "optimizers", "activations")
        parts = ", ".join(f"{name} {_readable(getattr(self, name))}" for name in names)
        return f"memory per process: {parts}; free {_readable(self.free)}"


def estimate(learner: Learner, batch: Batch, clock: Clock, processes: Processes) -> Estimate:
    """Run one forward pass of ``learner`` on ``batch`` and count what it keeps for the backward pass.

    Weights, buffers, the Learner's state and the random state are afterwards what they were before.

    Args:
        batch: the largest of the run, on the device.
    """
    trained = {id(p): p for o in learner.optimizers.values() for group in o.param_groups for p in group["params"]}
    held = [t for module in learner.modules.values() for t in (*module.parameters(), *module.buffers())]
    counter = _SavedBytes(held)
    with _unchanged(learner, processes.device), processes.autocast(), counter.counting():
        learner.step(batch, clock, lambda name, loss, *, keep=False: None)
    return Estimate(
        weights=_bytes(held),
        gradients=_bytes(p for p in trained.values() if p.requires_grad),
        optimizers=sum(_optimizer_bytes(optimizer) for optimizer in learner.optimizers.values()),
        activations=counter.peak,
        free=_free_bytes(processes),
    )


class _SavedBytes:
    """Counts the bytes that autograd keeps, each storage once, those of weights not."""

    def __init__(self, held: Iterable[Tensor]) -> None:
        self._held = {tensor.untyped_storage().data_ptr() for tensor in held}
        self._users: dict[int, int] = {}
        self._live = 0
        self.peak = 0

    @contextmanager
    def counting(self) -> Iterator[None]:
        with torch.autograd.graph.saved_tensors_hooks(self._pack, lambda box: box.tensor):
            yield

    def _pack(self, tensor: Tensor) -> _Box:
        box = _Box(tensor)
        storage = tensor.untyped_storage()
        place, size = storage.data_ptr(), storage.nbytes()
        if place not in self._held:
            self._users[place] = self._users.get(place, 0) + 1
            if self._users[place] == 1:
                self._live += size
                self.peak = max(self.peak, self._live)
            weakref.finalize(box, self._drop, place, size)
        return box

    def _drop(self, place: int, size: int) -> None:
        self._users[place] -= 1
        if not self._users[place]:
            self._live -= size


class _Box:
    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor.detach()  # a node's own output would hold the node, and the graph would never go


@contextmanager
def _unchanged(learner: Learner, device: torch.device) -> Iterator[None]:
    tensors = [t for m in learner.modules.values() for t in m.buffers()]
    before = [tensor.clone() for tensor in tensors]
    state = copy.deepcopy(learner.state_dict())
    devices = [device] if device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        with torch.no_grad():
            for tensor, old in zip(tensors, before, strict=True):
                tensor.copy_(old)
        learner.load_state_dict(state)


def _optimizer_bytes(optimizer: Optimizer) -> int:
    """State that the optimizer has or, before its first step, will have by its settings."""
    total = 0
    for group in optimizer.param_groups:
        copies = _copies(group)
        for parameter in group["params"]:
            state = optimizer.state.get(parameter)
            if state:
                total += _bytes(value for value in state.values() if isinstance(value, Tensor))
            elif parameter.requires_grad:
                total += copies * _bytes([parameter])
    return total


def _copies(group: Mapping[str, Any]) -> int:
    """Tensors of a parameter's shape that torch's optimizers keep: two moments of Adam, one momentum of SGD …"""
    if "betas" in group:
        return 2 + bool(group.get("amsgrad"))
    if "momentum" in group:
        return int(bool(group["momentum"])) + ("alpha" in group) + bool(group.get("centered"))
    return 1


def _free_bytes(processes: Processes) -> int:
    if processes.device.type == "cuda":
        reserved = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        return int(torch.cuda.mem_get_info()[0] + reserved)
    return int(psutil.virtual_memory().available // processes.local_world)


def _bytes(tensors: Iterable[Tensor | nn.Parameter]) -> int:
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}
    return sum(storages.values())


def _readable(count: int) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 2**10:.1f} KiB"
