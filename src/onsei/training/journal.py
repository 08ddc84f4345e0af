"""The text of a run folder: config.yaml, metrics.jsonl and quarantine.jsonl."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from onsei import config
from onsei.paths import write_text
from onsei.training.learner import Fault

CONFIG = "config.yaml"
METRICS = "metrics.jsonl"
QUARANTINE = "quarantine.jsonl"


class Journal:
    """Writes what happens in a run, line by line, so that a reader may follow it live.

    Args:
        run: the run folder.
        resolved: the run's whole configuration, as JSON values.
        metrics_bytes: cut metrics.jsonl back to this length, that of the checkpoint gone on from.
        source: begin with the metrics and quarantine of this other run folder, so that its curves go on.
    """

    def __init__(
        self, run: Path, resolved: Mapping[str, Any], metrics_bytes: int = 0, source: Path | None = None
    ) -> None:
        run.mkdir(parents=True, exist_ok=True)
        for name in (METRICS, QUARANTINE):
            if source is not None and (source / name).is_file():
                shutil.copyfile(source / name, run / name)
        write_text(run / CONFIG, config.to_yaml(dict(resolved)))
        self._metrics = _open_cut(run / METRICS, metrics_bytes)
        self._quarantine, self._known = _open_quarantine(run / QUARANTINE)

    @property
    def quarantined(self) -> int:
        """Rows in quarantine, each counted once."""
        return len(self._known)

    def write(self, row: Mapping[str, Any]) -> None:
        """Add a line to metrics.jsonl; numbers that are not finite become null."""
        _write_line(self._metrics, row)

    def quarantine(self, faults: Iterable[Fault], step: int) -> list[Fault]:
        """Add the rows that are not in quarantine yet; returns those."""
        new = []
        for fault in faults:
            if fault.id not in self._known:
                self._known.add(fault.id)
                new.append(fault)
                row = {"id": fault.id, "file": str(fault.file), "reason": fault.reason, "step": step}
                _write_line(self._quarantine, row)
        return new

    def sync(self) -> int:
        """Make sure that metrics.jsonl is on disk; returns its length in bytes."""
        os.fsync(self._metrics.fileno())
        return self._metrics.tell()

    def close(self) -> None:
        """Close the files."""
        self._metrics.close()
        self._quarantine.close()


def _write_line(file: IO[bytes], row: Mapping[str, Any]) -> None:
    finite = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
    file.write(json.dumps(finite, ensure_ascii=False, allow_nan=False).encode() + b"\n")
    file.flush()


def _open_cut(path: Path, length: int) -> IO[bytes]:
    file = path.open("ab")
    file.truncate(min(length, path.stat().st_size))
    file.seek(0, os.SEEK_END)
    return file


def _open_quarantine(path: Path) -> tuple[IO[bytes], set[str]]:
    """Open for adding. A last line that a kill cut short is dropped."""
    text = path.read_bytes() if path.is_file() else b""
    whole = text[: text.rfind(b"\n") + 1]
    return _open_cut(path, len(whole)), {json.loads(line)["id"] for line in whole.splitlines()}
