"""Where the time of a few early steps goes: a trace for the browser and a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import profiler

WAIT, WARMUP, ACTIVE = 1, 1, 3


@contextmanager
def profiled(folder: Path, wanted: bool) -> Iterator[Callable[[], None]]:
    """Profile steps 3 to 5 into ``folder``: ``trace.json`` (chrome://tracing, Perfetto) and ``table.txt``.

    Yields:
        To be called after each step.
    """
    if not wanted:
        yield lambda: None
        return
    folder.mkdir(parents=True, exist_ok=True)

    def write(found: profiler.profile) -> None:
        found.export_chrome_trace(str(folder / "trace.json"))
        on_gpu = torch.cuda.is_available()
        key = "self_cuda_time_total" if on_gpu else "self_cpu_time_total"
        (folder / "table.txt").write_text(found.key_averages().table(sort_by=key, row_limit=40), encoding="utf-8")

    plan = profiler.schedule(wait=WAIT, warmup=WARMUP, active=ACTIVE, repeat=1)
    with profiler.profile(schedule=plan, on_trace_ready=write, record_shapes=True) as found:
        yield found.step
