"""What can break in the middle of a run, told with its mend: memory, loader processes, the disk."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from onsei.errors import OnseiError, RunError
from onsei.training.learner import Batch
from onsei.training.signals import StopFlag

_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "alloc_cpu.cpp")
_NAMED = 12
"""Ids that a message names."""
_WORKER = ("DataLoader worker", "exited unexpectedly")


class LoaderDiedError(RunError):
    """A process that loads data is gone."""


def next_batch(batches: Iterator[Batch], source: Any, flag: StopFlag) -> Batch | None:
    """The next batch of ``source``; None at the end, or where the run is asked to stop.

    A launcher sends the request to stop to loader processes too, and these obey at once.

    Raises:
        RunError: see ``explained``.
    """
    try:
        with explained(source):
            return next(batches, None)
    except LoaderDiedError:
        if flag.signal_number:
            return None
        raise


@contextmanager
def explained(source: Any = None, batch: Any = None) -> Iterator[None]:
    """Turn what users can mend into a RunError that says how.

    Args:
        source: where batches come from; its ``workers`` are told if it says.
        batch: the batch in work.

    Raises:
        RunError: out of memory (CUDA, MPS or CPU), a dead loader process, a full disk.
    """
    try:
        yield
    except OnseiError:
        raise
    except (RuntimeError, MemoryError) as error:
        text = str(error)
        if isinstance(error, (torch.OutOfMemoryError, MemoryError)) or any(sign in text for sign in _MEMORY):
            raise _out_of_memory(source, batch, text) from error
        if all(sign in text for sign in _WORKER):
            raise LoaderDiedError(
                f"a process that loads data died{_workers(source)}: {text.splitlines()[0]}",
                "most often memory ran out: lower --num-workers, then --batch-seconds or --batch-size; "
                "with --num-workers 0 the cause shows itself",
            ) from error
        raise
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise RunError(
            f"{error.filename or 'the run folder'}: the disk is full", "free some space, then go on"
        ) from error


def describe_batch(batch: Any) -> str:
    """Size and shapes of a batch: ``16 items, audio (16, 1, 161, 800)``."""
    fields = vars(batch) if hasattr(batch, "__dict__") else {}
    shapes = [f"{name} {tuple(value.shape)}" for name, value in fields.items() if isinstance(value, Tensor)]
    return ", ".join([f"{batch.size} items", *shapes])


def suspects(batch: Any) -> list[str]:
    """Ids of the rows of ``batch`` that hold values that are not finite; of all its rows where none does."""
    ids = [str(id_) for id_ in getattr(batch, "ids", ())]
    wrong: set[int] = set()
    for value in vars(batch).values() if hasattr(batch, "__dict__") else ():
        if isinstance(value, Tensor) and value.is_floating_point() and value.dim() and len(value) == len(ids):
            wrong.update((~value.isfinite()).reshape(len(ids), -1).any(1).nonzero().flatten().tolist())
    return [id_ for number, id_ in enumerate(ids) if number in wrong or not wrong]


def told_suspects(steps: Sequence[tuple[int, Sequence[str]]]) -> str:
    """One line a step whose losses or gradients were not finite, with the ids of its rows."""
    lines = []
    for step, ids in steps:
        more = f" and {len(ids) - _NAMED} more; all are in metrics.jsonl" if len(ids) > _NAMED else ""
        lines.append(f"{step}: not finite; rows {', '.join(ids[:_NAMED]) or 'without ids'}{more}")
    return "\n  ".join(lines)


def _out_of_memory(source: Any, batch: Any, text: str) -> RunError:
    found = f" at a batch of {describe_batch(batch)}" if batch is not None else ""
    first = text.strip().splitlines()[0] if text.strip() else "MemoryError"
    return RunError(
        f"out of memory{found}{_workers(source)}: {first}",
        "lower --batch-seconds or --batch-size first (and raise --accumulate to keep the step's size), "
        "then --precision bf16, then --num-workers, then the network",
    )


def _workers(source: Any) -> str:
    workers = getattr(source, "workers", None)
    return "" if workers is None else f" with {workers} loader processes"
