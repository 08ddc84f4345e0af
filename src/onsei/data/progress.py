"""A bar on standard error for work that takes a while."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")

_LARGE = 1 << 23
_STEP = 500


@contextmanager
def progress(title: str, total: int | None) -> Iterator[Callable[[int, bool], None]]:
    """Yields ``advance(amount, show)``; the bar appears with the first ``show`` that is true, and goes at the end."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    columns = (*Progress.get_default_columns(), MofNCompleteColumn()) if total is None else ()
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task(title, total=total)

    def advance(amount: int, show: bool) -> None:
        if show and not bar.live.is_started:
            bar.start()
        bar.advance(task, amount)

    try:
        yield advance
    finally:
        if bar.live.is_started:  # else it would leave a blank line
            bar.stop()


def counted(title: str, items: Iterable[Item]) -> Iterator[Item]:
    """``items`` as they are; from the 2,000th on their number is shown."""
    with progress(title, None) as advance:
        for number, item in enumerate(items, 1):
            if not number % _STEP:
                advance(_STEP, number >= 2_000)
            yield item


def tracked(title: str, items: Sequence[Item]) -> Iterator[Item]:
    """``items`` as they are; a bar with the time left shows from the second one on."""
    with progress(title, len(items)) as advance:
        for number, item in enumerate(items):
            if number:
                advance(1, True)
            yield item


@contextmanager
def transfer(title: str) -> Iterator[Callable[[int, int | None], None]]:
    """Yields ``show(bytes so far, bytes in all or None)``: a bar on standard error with speed and time left.

    Nothing is shown of what has less than 8 MiB.
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
    task = bar.add_task(title, total=None)

    def show(done: int, total: int | None) -> None:
        if not bar.live.is_started and max(done, total or 0) >= _LARGE:
            bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield show
    finally:
        if bar.live.is_started:  # else it would leave a blank line
            bar.stop()
