"""Parts of a work side by side, each on a thread and a core of its own, where a network computes on a processor.

By default all threads share every operation and wait for each other after each. That is quick for one part; of many,
a part for each thread is done with less waiting.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from math import ceil
from threading import Barrier
from typing import TypeVar

import torch

_KEPT = 2**25 - 2**16
"""Bytes of a block that is taken and given back once. After that glibc keeps what threads free for their next part, and
does not return it to the system to fetch it again page by page (decision 0012)."""

Part = TypeVar("Part")
Made = TypeVar("Made")


def mapped(work: Callable[[Part], Made], parts: Sequence[Part], device: torch.device) -> list[Made]:
    """What ``work`` makes of each part, in order; side by side if ``device`` is a processor with threads to share.

    The thread that calls works as well. It must be safe to call ``work`` from several threads at once; what it raises
    is raised here.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1 or len(parts) < threads:
        return [work(part) for part in parts]
    made: dict[int, Made] = {}
    left = iter(range(len(parts)))  # shared: each thread takes the next one when it is done with one

    def take() -> None:
        try:
            for number in left:
                made[number] = work(parts[number])
        except BaseException:
            deque(left, maxlen=0)  # the others need not go on
            raise

    others = [_pool(threads, os.getpid()).submit(take) for _ in range(threads - 1)]
    torch.set_num_threads(1)
    try:
        take()
    finally:
        torch.set_num_threads(threads)
        for other in others:
            other.exception()  # waits
    for other in others:
        other.result()
    return [made[number] for number in range(len(parts))]


def shares(total: int, most: int, least: int, device: torch.device) -> list[slice]:
    """How ``total`` pieces are parted for ``mapped``: in parts alike, of ``most`` at most, as many as keep all threads
    at work if that leaves each ``least`` pieces.
    """
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    parts = ceil(total / most)
    if total >= threads * least:
        parts = min(total, ceil(parts / threads) * threads)
    ends = [round(total * part / max(1, parts)) for part in range(parts + 1)]
    return [slice(first, last) for first, last in pairwise(ends)]


@cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    """The other threads, each computing on one core. A forked process has none of its parent's, so it gets its own."""
    torch.empty(_KEPT, dtype=torch.uint8)
    pool = ThreadPoolExecutor(threads - 1, "abreast", initializer=_alone)
    all_there = Barrier(threads - 1)
    list(pool.map(lambda _: all_there.wait(), range(threads - 1)))
    torch.set_num_threads(threads)  # what a thread sets is also what later threads begin with
    return pool


def _alone() -> None:
    """Let the thread that calls this compute on one core."""
    torch.set_num_threads(1)
    torch.get_num_threads()  # at its first look a thread takes what was set last: now, and not when others set more
