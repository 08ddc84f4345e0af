"""One real step of training, timed and measured, before any training."""

from __future__ import annotations

import time

import torch
from torch import Tensor

from onsei.training.learner import Batch, Clock, Learner
from onsei.training.peak import peak_bytes
from onsei.training.processes import Processes


def one_step(learner: Learner, batch: Batch, processes: Processes, base: int) -> tuple[float, int]:
    """Forward, backward and step of every optimizer on ``batch``: seconds, and the peak of memory in bytes.

    Args:
        base: bytes that the process held before the networks were made.
    """

    def update(name: str, loss: Tensor, *, keep: bool = False) -> None:
        with torch.autocast(loss.device.type, enabled=False):
            loss.float().backward(retain_graph=keep)  # type: ignore[no-untyped-call]

    with peak_bytes(processes.device, base) as peak:
        began = time.perf_counter()
        with processes.autocast():
            learner.step(batch, Clock(0, 0, 0), update)
        for optimizer in learner.optimizers.values():
            optimizer.step()
        if processes.device.type == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - began
    return seconds, int(peak())
