"""What a run folder tells while its run goes: curves, place, time left, rows in quarantine."""

from __future__ import annotations

import json
import sys
import threading
import time
from array import array
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from onsei.config import read_yaml
from onsei.errors import ConfigError
from onsei.plots.points import points, thin

_LIMIT = 1000
_MARK = 256
_NO_CURVES = ("step", "epoch", "seconds", "val_seconds", "best", "skipped", "not_finite")
_RECENT = 200
_BLOCK = 1 << 24


class RunLog:
    """Follows ``metrics.jsonl`` of a run folder, reading only what is new; of a number it keeps 16 bytes.

    A run that is resumed cuts the file back to its checkpoint and goes on; the bytes before the place read so far tell
    that, and the whole file is read again. Safe to use from several threads.
    """

    def __init__(self, folder: Path, name: str = "") -> None:
        self.folder = Path(folder)
        self.name = name or self.folder.resolve().name
        self._lock = threading.Lock()
        self._version = 0
        self._forget()

    def snapshot(self) -> dict[str, Any]:
        """The run as JSON values: ``curves`` holds ``[steps, values]`` by key, at most 1000 points each.

        ``version`` changes whenever anything else may have changed, except the time since the last line.
        """
        with self._lock:
            self._read()
            recent = list(self._recent)
            last = recent[-1] if recent else {}
            curves = {
                key: [part.tolist() for part in thin((np.array(x), np.array(y)), _LIMIT)]
                for key, (x, y) in self._curves.items()
            }
            return {
                "name": self.name,
                "version": self._version,
                "curves": curves,
                "last": _latest(recent),
                "step": last.get("step"),
                "epoch": last.get("epoch"),
                "epochs": self._plan().get("epochs"),
                "seconds": last.get("seconds"),
                "eta": None if self._finished() else seconds_left(recent, self._plan(), self._ends),
                "idle": self._idle(),
                "finished": self._finished(),
                "quarantined": _count_lines(self.folder / "quarantine.jsonl"),
                "skipped": max((row["skipped"] for row in recent if _is_count(row.get("skipped"))), default=0),
                "damaged": self._damaged,
            }

    def _forget(self) -> None:
        self._recent: deque[Mapping[str, Any]] = deque(maxlen=_RECENT)
        self._curves: dict[str, tuple[array[float], array[float]]] = {}
        self._ends: dict[int, int] = {}
        """The last step of each epoch."""
        self._place, self._before, self._damaged = 0, b"", 0
        self._version += 1

    def _read(self) -> None:
        """Take in the whole lines that are new; a last line without its end is not whole yet."""
        try:
            with (self.folder / "metrics.jsonl").open("rb") as file:
                file.seek(self._place - len(self._before))
                if file.read(len(self._before)) != self._before:
                    self._forget()
                    file.seek(0)
                rest = b""
                while block := file.read(_BLOCK):
                    whole, end, rest = (rest + block).rpartition(b"\n")
                    self._take_all(whole + end)
        except FileNotFoundError:
            if self._place:
                self._forget()

    def _take_all(self, whole: bytes) -> None:
        if not whole:
            return
        self._place += len(whole)
        self._before = (self._before + whole)[-_MARK:]
        self._version += 1
        for line in whole.splitlines():
            self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if isinstance(row, dict):
            self._recent.append(row)
            step: Any = row.get("step")
            epoch: Any = row.get("epoch")
            if _is_count(step) and _is_count(epoch):
                self._ends[epoch] = max(step, self._ends.get(epoch, 0))
            for key, value in row.items() if _is_number(step) else ():
                if key not in _NO_CURVES and _is_number(value):
                    x, y = self._curves.setdefault(key, (array("d"), array("d")))
                    x.append(step)
                    y.append(value)
        elif line.strip():
            self._damaged += 1

    def _plan(self) -> Mapping[str, Any]:
        """The run's options of training, as far as they can be read."""
        try:
            plan = read_yaml(self.folder / "config.yaml").get("training")
        except ConfigError:
            return {}
        return plan if isinstance(plan, dict) else {}

    def _idle(self) -> float | None:
        try:
            return max(0.0, time.time() - (self.folder / "metrics.jsonl").stat().st_mtime)
        except OSError:
            return None

    def _finished(self) -> bool:
        """Whether the model was written after the last metrics."""
        try:
            return (self.folder / "onsei.json").stat().st_mtime >= (self.folder / "metrics.jsonl").stat().st_mtime
        except OSError:
            return False


def seconds_left(rows: Sequence[Mapping[str, Any]], plan: Mapping[str, Any], ends: Mapping[int, int]) -> float | None:
    """Seconds to the end that ``plan`` names (``max_steps`` or ``epochs``), at the latest pace; None while unknown.

    Args:
        rows: the latest of the metrics.
        plan: the options of training.
        ends: the last step of each epoch so far.
    """
    steps, seconds = points(rows, "seconds")
    total = _total_steps(rows, plan, ends)
    if total is None or len(steps) < 2 or steps[-1] <= steps[0]:
        return None
    pace = (seconds[-1] - seconds[0]) / (steps[-1] - steps[0])
    return max(0.0, float((total - steps[-1]) * pace))


def _total_steps(rows: Sequence[Mapping[str, Any]], plan: Mapping[str, Any], ends: Mapping[int, int]) -> float | None:
    """From the steps that whole epochs took so far; an epoch's first step row comes right after its start."""
    bounds = []
    epochs: Any = plan.get("epochs")
    if _is_count(plan.get("max_steps")) and plan["max_steps"] > 0:
        bounds.append(float(plan["max_steps"]))
    latest: Any = rows[-1].get("epoch") if rows else None
    if _is_count(epochs) and _is_count(latest) and latest - 1 in ends:
        bounds.append(ends[latest - 1] / latest * epochs)
    return min(bounds, default=None)


def _latest(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The latest value of each key."""
    values: dict[str, Any] = {}
    for row in rows:
        values |= {key: value for key, value in row.items() if isinstance(value, (int, float, str))}
    return values


def _count_lines(path: Path) -> int:
    try:
        return path.read_bytes().count(b"\n")
    except OSError:
        return 0


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
