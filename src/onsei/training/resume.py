"""Where a run begins: at its first step, or at a checkpoint that fits it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from onsei.errors import ModelError, RunError
from onsei.training import checkpoint as checkpoints
from onsei.training.checkpoint import Checkpoint
from onsei.training.journal import CONFIG, METRICS
from onsei.training.transfer import foreign_file

_TRACES = (CONFIG, METRICS, checkpoints.FOLDER, "onsei.json")
"""What shows that a folder holds a run or a model."""


@dataclass(frozen=True)
class Start:
    """Where to begin, and what the user should know about it."""

    checkpoint: Path | None = None
    source: Path | None = None
    """The run folder that holds it, where that is another one than this run's."""
    notes: tuple[str, ...] = ()


def choose_start(continue_from: str, run: Path, *, finetune: bool = False, system: str | None = None) -> Start:
    """Choose the checkpoint to go on from; checks that the run folder ``run`` may be written. Writes nothing.

    Args:
        continue_from: a run folder, one checkpoint folder, or empty for a new run.
        finetune: whether it is only where a new run takes its weights from.
        system: the system that trains, for messages.

    Raises:
        RunError: ``run`` holds another run; there is nothing to go on from; all checkpoints are damaged.
        ModelError: the one checkpoint asked for is damaged.
    """
    if finetune and not continue_from:
        raise RunError("--finetune: from which weights?", "give --continue-from MODEL too")
    if not continue_from or finetune:
        _refuse_occupied(run, "another --output-dir" if finetune else f"--continue-from {run}")
        return Start()
    asked = Path(continue_from)
    if asked.is_file():
        raise foreign_file(asked, system)
    single = (asked / checkpoints.HEADER).is_file() or asked.parent.name == checkpoints.FOLDER
    source = asked.parent.parent if single else asked
    if not asked.is_dir() or not any((source / trace).exists() for trace in _TRACES[:3]):
        raise RunError(
            f"--continue-from {asked}: expected a run folder or one of its checkpoints, found "
            + ("neither" if asked.exists() else "nothing"),
            "a model without its run can only lend its weights: add --finetune"
            if (asked / "onsei.json").is_file()
            else f"name the folder that holds {CONFIG} and {checkpoints.FOLDER}/",
        )
    elsewhere = source.resolve() != run.resolve()
    if elsewhere:
        _refuse_occupied(run, "another --output-dir")
    elif single:
        _refuse_going_back(asked, run)
    start = _only(asked) if single else _newest_whole(source)
    return replace(start, source=source) if elsewhere else start


def check_source(checkpoint: Checkpoint, fingerprint: Mapping[str, Any], world: int) -> tuple[str, ...]:
    """Check that the batches are those of the checkpoint; returns what the user should know.

    Raises:
        RunError: they are others, and the checkpoint stands in the middle of an epoch.
    """
    notes = []
    if checkpoint.world != world:
        notes.append(
            f"processes: {checkpoint.world} → {world}; the same batches, but not the same numbers to the last bit"
        )
    changes = [
        f"{field}: {checkpoint.fingerprint.get(field)} → {fingerprint.get(field)}"
        for field in dict.fromkeys([*checkpoint.fingerprint, *fingerprint])
        if checkpoint.fingerprint.get(field) != fingerprint.get(field)
    ]
    if not changes:
        return tuple(notes)
    if checkpoint.between_epochs:
        return (*notes, f"other batches from epoch {checkpoint.standing.epoch + 1} on: {'; '.join(changes)}")
    flags = " ".join(_flags(checkpoint.fingerprint, fingerprint))
    raise RunError(
        f"{checkpoint.path}: is in mid-epoch {checkpoint.standing.epoch + 1}, and the batches have changed: "
        + "; ".join(changes),
        f"give the old values back ({flags}){_between_epochs(checkpoint)}",
    )


def _refuse_occupied(run: Path, mend: str) -> None:
    found = [name for name in _TRACES if (run / name).exists()]
    metrics = run / METRICS
    if set(found) <= {CONFIG, METRICS} and not (metrics.is_file() and metrics.stat().st_size):
        return  # a run that failed before its first step: nothing is lost
    if found:
        raise RunError(
            f"{run}: already holds a run or a model ({', '.join(found)})",
            f"go on with {mend}, or choose another --output-dir"
            if mend.startswith("--")
            else f"choose {mend}, or remove the folder",
        )


def _refuse_going_back(asked: Path, run: Path) -> None:
    later = [folder.name for folder in checkpoints.list_folders(run) if folder.name > asked.name]
    if later:
        raise RunError(
            f"{asked}: {run} has gone on since, to {later[-1]}; going on from here would overwrite that",
            "choose another --output-dir, or remove the later checkpoints",
        )


def _only(folder: Path) -> Start:
    checkpoints.read(folder).read_state()
    return Start(folder, notes=(f"going on from {folder}",))


def _newest_whole(run: Path) -> Start:
    folders = checkpoints.list_folders(run)
    if not folders:
        return Start(notes=(f"{run}: has no checkpoint yet; starting at the first step",))
    notes: list[str] = []
    for folder in reversed(folders):
        try:
            checkpoints.read(folder).read_state()
        except ModelError as error:
            notes.append(f"{error.message}; trying the one before")
            continue
        return Start(folder, notes=(*notes, f"going on from {folder}"))
    raise RunError(f"{run}: all {len(folders)} checkpoints are damaged: {notes[0]}", "start again in another folder")


def _flags(old: Mapping[str, Any], new: Mapping[str, Any]) -> Sequence[str]:
    changed = [field for field in old if old[field] != new.get(field)]
    return [f"--{field.lstrip('-').replace('_', '-')} {old[field]}" for field in changed]


def _between_epochs(checkpoint: Checkpoint) -> str:
    run = checkpoint.path.parent.parent
    whole = [c.path for c in checkpoints.list_readable(run) if c.between_epochs]
    return f", or continue from {whole[-1]} into another --output-dir, where no epoch is half done" if whole else ""
