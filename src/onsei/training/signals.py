"""Requests to stop: SIGTERM and SIGINT are noted, and obeyed between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StoppedError(Exception):
    """The run was asked to stop by ``signal_number``."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal.Signals(signal_number).name)
        self.signal_number = signal_number


class StopFlag:
    """The signal that asked to stop, or 0."""

    signal_number = 0


@contextmanager
def watched() -> Iterator[StopFlag]:
    """Note SIGTERM and SIGINT within the context. A second SIGINT (Ctrl-C twice) has its usual effect, at once.

    A second SIGTERM has none: under a job scheduler, both it and the launcher may send one.
    """
    flag = StopFlag()
    if threading.current_thread() is not threading.main_thread():  # Python lets only the main thread watch
        yield flag
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, frame: FrameType | None) -> None:
        if flag.signal_number == number == signal.SIGINT:
            raise KeyboardInterrupt
        flag.signal_number = number

    for number in before:
        signal.signal(number, note)
    try:
        yield flag
    finally:
        restore()
