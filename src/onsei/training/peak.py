"""Memory while something runs: what is free for a process, and the most that it took."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import torch

_EVERY = 0.005
"""Seconds between two looks at the process."""
_GROUP = Path("/sys/fs/cgroup")
_LIMITS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))
"""Files with a container's limit and use, of both versions of control groups."""


def free_bytes(device: torch.device) -> int:
    """Bytes that this process may still take on ``device``; in a container no more than its limit leaves."""
    if device.type == "cuda":
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0] + held)
    free = int(psutil.virtual_memory().available)
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        most, taken = _number(_GROUP / limit), _number(_GROUP / used)
        if most is not None and taken is not None:
            free = min(free, max(0, most - taken))
    return free


@contextmanager
def peak_bytes(device: torch.device, base: int | None = None) -> Iterator[Callable[[], int]]:
    """Watch the memory of this process while the context lasts.

    Args:
        device: where it computes.
        base: ``resident_bytes`` before what is to be counted; by default at the beginning of the context.

    Yields:
        What gives the peak in bytes, afterwards: on a GPU all that torch had allocated, elsewhere what the process
        had more than ``base``.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        yield lambda: int(torch.cuda.max_memory_allocated(device))
        return
    most = resident_bytes()
    before = most if base is None else base
    done = threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(_EVERY):
            most = max(most, resident_bytes())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield lambda: most - before
    finally:
        most = max(most, resident_bytes())
        done.set()
        watcher.join()


def resident_bytes() -> int:
    """Memory that this process holds now, in bytes."""
    return int(psutil.Process().memory_info().rss)


def readable(count: int) -> str:
    """A number of bytes for people."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 2**10:.1f} KiB"


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):  # not there, or `max`
        return None
