"""The processes of a run and what they share: device, precision, sums and agreements. The door to Accelerate."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar, cast

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor, distributed

from onsei.errors import OnseiError, RunError
from onsei.nn.device import has_bfloat16
from onsei.training.launch import choose_gpus

T = TypeVar("T")


class Processes:
    """This process among those of the run; alone, every method is a matter of course.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        precision: ``fp32``, ``bf16`` or ``fp16``.
        device_ids: GPUs of this machine, as ``0,1``; all where empty.

    Raises:
        RunError: torch has no such device here, or the device cannot compute in this precision.
    """

    def __init__(self, device: str = "auto", precision: str = "fp32", device_ids: str = "") -> None:
        choose_gpus(device_ids, device)
        accelerator = _accelerator(device, precision)
        self._accelerator = accelerator
        self.device: torch.device = accelerator.device
        self.rank: int = accelerator.process_index
        self.world: int = accelerator.num_processes
        self.scaler: torch.amp.GradScaler | None = accelerator.scaler
        self.notes: list[str] = []
        """What the user should know about device and precision."""
        self._exact = precision == "bf16" and not has_bfloat16(self.device)
        if self._exact:
            self.notes.append("precision bf16: this CPU is slow in it, so networks compute in 32 bits")
        if precision == "fp16" and self.scaler is None:
            raise RunError(f"precision fp16: not possible on {self.device.type}", "choose --precision bf16 or fp32")

    @property
    def main(self) -> bool:
        """Whether this process writes the run folder."""
        return self.rank == 0

    @property
    def local_world(self) -> int:
        """Processes of the run on this machine."""
        return int(os.environ.get("LOCAL_WORLD_SIZE", self.world)) if self.world > 1 else 1

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which networks compute in the run's precision."""
        context: AbstractContextManager[Any] = nullcontext() if self._exact else self._accelerator.autocast()
        return context

    def gather(self, value: T) -> list[T]:
        """The small ``value`` of every process, by rank."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        distributed.all_gather_object(values, value)
        return values

    def from_first(self, make: Callable[[], T]) -> T:
        """What ``make`` gives in the first process, alone; what it raises for the user, all raise."""
        value: T | None = None
        error: OnseiError | None = None
        if self.main:
            try:
                value = make()
            except OnseiError as raised:
                error = raised
        value, error = self.gather((value, error))[0]
        if error is not None:
            raise error
        return cast(T, value)

    def add(self, tensor: Tensor) -> None:
        """Sum ``tensor`` over the processes, in place."""
        if self.world > 1:
            distributed.all_reduce(tensor)

    def align(self, tensors: Iterable[Tensor]) -> None:
        """Give every process the first one's values, in place."""
        if self.world > 1:
            for tensor in tensors:
                distributed.broadcast(tensor, src=0)

    def part_at_exit(self) -> None:
        """Call where all processes came through: take their connection down before the interpreter goes.

        Without that gloo's threads now and then abort the finished process. After a failure the others may never
        answer, so then nothing must wait for them.
        """
        if self.world > 1:
            atexit.unregister(_part)
            atexit.register(_part)


def _part() -> None:
    if distributed.is_initialized():
        distributed.destroy_process_group()


def _accelerator(device: str, precision: str) -> Accelerator:
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(device, True):
        raise RunError(f"device {device}: torch finds none here", "choose --device auto or cpu, or mend the driver")
    # Accelerate keeps one state a process; a later run here may want another device or precision.
    AcceleratorState._reset_state(reset_partial_state=True)
    mixed = {"fp32": "no"}.get(precision, precision)
    launched = int(os.environ.get("WORLD_SIZE", "1"))
    on_cpu = device == "cpu" or (
        launched > 1 and not there["cuda"]
    )  # else Accelerate takes each process for the only one
    try:
        accelerator = Accelerator(cpu=on_cpu, mixed_precision=mixed)
    except ValueError as error:
        raise RunError(f"precision {precision} on {device}: {error}", "choose --precision fp32") from error
    if accelerator.num_processes != launched:
        raise RunError(
            f"{launched} processes were launched, but this one knows of {accelerator.num_processes}",
            "start with `torchrun --nproc-per-node N -m onsei …`",
        )
    return accelerator
