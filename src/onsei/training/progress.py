"""What a run says while it goes: a bar with loss, speed and time left on a terminal, a line a minute in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

LOG_SECONDS = 60.0


class Progress:
    """Reports on a run to standard error.

    Args:
        shown: whether this process may speak at all.
        silent: only what ``say`` is told.
        done: part of the run that is done already, 0..1.
    """

    def __init__(
        self,
        *,
        shown: bool = True,
        silent: bool = False,
        done: float = 0.0,
        console: Console | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console or Console(file=sys.stderr, soft_wrap=True, highlight=False)
        self._shown, self._silent, self._now = shown, silent, now
        self._start, self._last, self._steps, self._first = now(), now(), 0, done
        self._bar: Bar | None = None
        if shown and not silent and self._console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[line]}"))
            self._bar = Bar(*columns, console=self._console, transient=True)
            self._task = self._bar.add_task("training", total=1.0, line="")
            self._bar.update(self._task, completed=done)
            self._bar.start()

    def say(self, text: str) -> None:
        """Print a line that must be seen even in silence."""
        if self._shown:
            self._console.print(text, markup=False, highlight=False)

    def tell(self, text: str) -> None:
        """Print a line, unless the run is silent."""
        if not self._silent:
            self.say(text)

    def step(self, epoch: int, step: int, values: Mapping[str, float], done: float) -> None:
        """Report a step; ``done`` is the part of the run that is done, 0..1."""
        self._steps += 1
        if not self._shown or self._silent:
            return
        if self._bar is None and self._now() - self._last < LOG_SECONDS:
            return
        elapsed = max(self._now() - self._start, 1e-9)
        made = done - self._first
        left = str(timedelta(seconds=round(elapsed * (1.0 - done) / made))) if made > 0 else "?"
        name, value = next(iter(values.items()), ("loss", float("nan")))
        name, value = ("loss", values["loss"]) if "loss" in values else (name, value)
        line = f"step {step}  {name} {value:.4g}  {self._steps / elapsed:.2f} it/s  ETA {left}"
        if self._bar is not None:
            self._bar.update(self._task, completed=done, description=f"epoch {epoch + 1}", line=line)
        else:
            self._last = self._now()
            self._console.print(f"epoch {epoch + 1}  {done:.0%}  {line}", markup=False)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
