"""What a run folder tells while its run goes: curves, place, time left, rows in quarantine."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onsei.config import read_yaml
from onsei.errors import ConfigError
from onsei.plots.points import points, thin

_LIMIT = 1000
_MARK = 256
_NO_CURVES = ("step", "epoch", "seconds", "val_seconds", "best", "skipped", "not_finite")
_RECENT = 200


class RunLog:
    """Follows ``metrics.jsonl`` of a run folder, reading only what is new.

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
            last = self._rows[-1] if self._rows else {}
            keys = dict.fromkeys(key for row in self._rows for key in row if key not in _NO_CURVES)
            found = {key: thin(points(self._rows, key), _LIMIT) for key in keys}
            curves = {key: [x.tolist(), y.tolist()] for key, (x, y) in found.items() if len(x)}
            return {
                "name": self.name,
                "version": self._version,
                "curves": curves,
                "last": _latest(self._rows),
                "step": last.get("step"),
                "epoch": last.get("epoch"),
                "epochs": self._plan().get("epochs"),
                "seconds": last.get("seconds"),
                "eta": None if self._finished() else seconds_left(self._rows, self._plan()),
                "idle": self._idle(),
                "finished": self._finished(),
                "quarantined": _count_lines(self.folder / "quarantine.jsonl"),
                "skipped": max(
                    (row["skipped"] for row in self._rows[-_RECENT:] if _is_count(row.get("skipped"))), default=0
                ),
                "damaged": self._damaged,
            }

    def _forget(self) -> None:
        self._rows: list[Mapping[str, Any]] = []
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
                new = file.read()
        except FileNotFoundError:
            new = b""
            if self._place:
                self._forget()
        whole = new[: new.rfind(b"\n") + 1]
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
            self._rows.append(row)
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


def seconds_left(rows: list[Mapping[str, Any]], plan: Mapping[str, Any]) -> float | None:
    """Seconds to the end that ``plan`` names (``max_steps`` or ``epochs``), at the latest pace; None while unknown."""
    steps, seconds = points(rows[-_RECENT:], "seconds")
    total = _total_steps(rows, plan)
    if total is None or len(steps) < 2 or steps[-1] <= steps[0]:
        return None
    pace = (seconds[-1] - seconds[0]) / (steps[-1] - steps[0])
    return max(0.0, float((total - steps[-1]) * pace))


def _total_steps(rows: list[Mapping[str, Any]], plan: Mapping[str, Any]) -> float | None:
    """From the steps that whole epochs took so far; an epoch's first step row comes right after its start."""
    bounds = []
    epochs: Any = plan.get("epochs")
    if _is_count(plan.get("max_steps")) and plan["max_steps"] > 0:
        bounds.append(float(plan["max_steps"]))
    latest: Any = rows[-1].get("epoch") if rows else None
    if _is_count(epochs) and _is_count(latest) and latest > 0:
        before = [row["step"] for row in rows if row.get("epoch") == latest - 1 and _is_count(row.get("step"))]
        if before:
            bounds.append(max(before) / latest * epochs)
    return min(bounds, default=None)


def _latest(rows: list[Mapping[str, Any]]) -> dict[str, Any]:
    """The latest value of each key."""
    values: dict[str, Any] = {}
    for row in rows[-_RECENT:]:
        values |= {key: value for key, value in row.items() if isinstance(value, (int, float, str))}
    return values


def _count_lines(path: Path) -> int:
    try:
        return path.read_bytes().count(b"\n")
    except OSError:
        return 0


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
