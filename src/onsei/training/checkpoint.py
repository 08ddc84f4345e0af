"""Checkpoints of a run: folders of safetensors and JSON, written whole or not at all, found by reading them."""

from __future__ import annotations

import json
import re
import shutil
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from onsei.errors import ModelError
from onsei.hub import weights
from onsei.paths import written_aside
from onsei.training.clock import Standing
from onsei.training.state import flatten, unflatten

FOLDER = "checkpoints"
HEADER = "checkpoint.json"
TENSORS = "state.safetensors"
FORMAT = 1
_NAME = re.compile(r"step-\d{8,}$")


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint's header says; the tensors stay on disk until ``read_state``."""

    path: Path
    standing: Standing
    learner: str
    """The class that was trained."""
    world: int
    """Processes of the run."""
    fingerprint: Mapping[str, Any]
    """Of the training batches."""
    metrics_bytes: int
    """Length of metrics.jsonl."""
    tree: Any
    """Of the state, with references to tensors."""
    crc: int
    """Of the file of tensors."""

    @property
    def between_epochs(self) -> bool:
        """Whether no epoch is half done."""
        return self.standing.batch == 0

    def read_state(self) -> dict[str, Any]:
        """The nested state, tensors on the CPU.

        Raises:
            ModelError: the file of tensors is missing or damaged.
        """
        file = self.path / TENSORS
        if not file.is_file() or _checksum(file) != self.crc:
            raise _damaged(self.path, f"{TENSORS} is missing or not as it was written")
        state: dict[str, Any] = unflatten(self.tree, weights.load(file))
        return state


def write(
    run: Path,
    state: Mapping[str, Any],
    *,
    standing: Standing,
    learner: str,
    world: int,
    fingerprint: Mapping[str, Any],
    metrics_bytes: int,
) -> Checkpoint:
    """Write a checkpoint into the run folder ``run``.

    Raises:
        OnseiError: the disk is full or the folder cannot be written; older checkpoints stay.
    """
    target = run / FOLDER / f"step-{standing.step:08d}"
    tensors, tree = flatten(state)
    with written_aside(target) as aside:
        aside.mkdir()
        weights.save(aside / TENSORS, tensors)
        crc = _checksum(aside / TENSORS)
        header = {
            "format": FORMAT,
            "standing": asdict(standing),
            "learner": learner,
            "world": world,
            "fingerprint": dict(fingerprint),
            "metrics_bytes": metrics_bytes,
            "crc": crc,
            "state": tree,
        }
        (aside / HEADER).write_text(json.dumps(header, ensure_ascii=False), encoding="utf-8")
    return Checkpoint(target, standing, learner, world, fingerprint, metrics_bytes, tree, crc)


def read(path: Path) -> Checkpoint:
    """Open the checkpoint folder ``path``.

    Raises:
        ModelError: it is not a checkpoint, is damaged, or was written by a newer onsei.
    """
    try:
        header = json.loads((path / HEADER).read_text(encoding="utf-8"))
        if header["format"] > FORMAT:
            raise ModelError(f"{path}: made by a newer onsei (checkpoint format {header['format']})", "update onsei")
        return Checkpoint(
            path,
            Standing(**header["standing"]),
            header["learner"],
            header["world"],
            header["fingerprint"],
            header["metrics_bytes"],
            header["state"],
            header["crc"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, f"{HEADER}: {error}") from error


def list_folders(run: Path) -> list[Path]:
    """Checkpoint folders of a run, damaged ones too, by step."""
    found = [p for p in (run / FOLDER).glob("step-*") if p.is_dir() and _NAME.match(p.name)]
    return sorted(found, key=lambda p: int(p.name[5:]))


def list_readable(run: Path) -> list[Checkpoint]:
    """Checkpoints of a run whose headers can be read, by step."""
    found = []
    for folder in list_folders(run):
        try:
            found.append(read(folder))
        except ModelError:
            continue
    return found


def find_best(run: Path, mode: str) -> Checkpoint | None:
    """The checkpoint whose own validation was best (the first of equals), if any was validated."""
    scored = [c for c in list_readable(run) if c.standing.score is not None]
    sign = -1.0 if mode == "max" else 1.0
    return min(scored, key=lambda c: sign * (c.standing.score or 0.0), default=None)


def prune(run: Path, *, keep: int, mode: str, every_epoch: bool) -> None:
    """Remove checkpoints, except the ``keep`` newest, the best and, with ``every_epoch``, those between epochs."""
    found = list_readable(run)
    best = find_best(run, mode)
    for checkpoint in found[:-keep]:
        if not (best is not None and checkpoint.path == best.path) and not (every_epoch and checkpoint.between_epochs):
            shutil.rmtree(checkpoint.path, ignore_errors=True)


def _checksum(file: Path) -> int:
    value = 0
    with file.open("rb") as handle:
        while chunk := handle.read(1 << 22):
            value = zlib.crc32(chunk, value)
    return value


def _damaged(path: Path, reason: str) -> ModelError:
    return ModelError(f"{path}: not a whole checkpoint ({reason})", "continue from an earlier one in the same folder")
