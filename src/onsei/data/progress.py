"""A bar on standard error for work that takes a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[int, bool], None]]:
    """Yields ``advance(amount, show)``; the bar appears with the first ``show`` that is true, and goes at the end."""
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(console=Console(stderr=True), transient=True)
    task = bar.add_task(title, total=total)

    def advance(amount: int, show: bool) -> None:
        if show and not bar.live.is_started:
            bar.start()
        bar.advance(task, amount)

    try:
        yield advance
    finally:
        bar.stop()
