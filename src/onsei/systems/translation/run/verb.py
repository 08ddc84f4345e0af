"""The verb `run`: stages that are done and unchanged are skipped, stopped ones go on."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onsei.config import from_dict, merged, to_dict, to_yaml
from onsei.errors import RunError
from onsei.hub import store
from onsei.paths import write_text
from onsei.system import Verb, resolve
from onsei.systems.translation.config.run import Run
from onsei.systems.translation.run.stages import WORLD, Stage, check_data, recipe_path, resolved, stages

STATE = "run.json"
"""What was done, by stage: fingerprint, seconds, and whether it came to its end."""


@dataclass(frozen=True)
class Verdict:
    """What is to be done with a stage, and why."""

    todo: str
    """``skip``, ``resume`` or ``run``."""
    why: str


def run(options: Run) -> None:
    """Do all stages of a recipe that are not done yet, and print what each took.

    Raises:
        OnseiError: a fault in options or data, or in a stage; what was done before it stays done.
    """
    recipe_path(options.recipe)
    began = time.perf_counter()
    state = _State(options.output_dir)
    data = _data(options, state)
    if options.last == "data" or data is None:
        return
    verbs = _verbs()
    for stage in stages(options, data):
        chosen = resolved(stage, verbs[stage.verb], options.recipe)
        mark = "" if _lacking(stage) and options.dry_run else fingerprint(stage, chosen)
        verdict = state.verdict(stage, mark)
        print(f"── {stage.name}: {verdict.todo} ({verdict.why})", flush=True)
        if not options.dry_run and verdict.todo != "skip":
            _done(stage, verbs[stage.verb], chosen, verdict, state, mark)
        if stage.name.split()[0] == options.last and not _more_of(stage, options, data):
            break
    if not options.dry_run:
        print(f"── all done in {time.perf_counter() - began:.0f} s; models are in {options.output_dir / 'models'}")


def fingerprint(stage: Stage, options: Any) -> str:
    """What a stage depends on: its options, and the content of its inputs.

    Raises:
        RunError: an input is missing.
    """
    values = to_dict(options)
    for name, value in stage.fields.items():  # where files lie does not matter: their content is looked at
        if isinstance(value, (Path, str)):
            values.pop(name, None)
    if isinstance(values.get("training"), dict):  # where it is computed does not matter
        for name in ("continue_from", "device", "device_ids", "silent", "tracker", "threads"):
            values["training"].pop(name, None)
    marks = {}
    for path in stage.inputs:
        file = path / store.WEIGHTS_FILE if path.is_dir() else path
        if not file.is_file():
            raise RunError(f"{stage.name}: {path} is missing", "run the stages before it: leave out --last")
        marks[path.name] = _hash(file)
    text = json.dumps([stage.name, values, marks], sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class _State:
    """What was done so far, in a file that is written after each stage."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / STATE
        try:
            self._done: dict[str, dict[str, Any]] = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._done = {}

    def verdict(self, stage: Stage, mark: str) -> Verdict:
        known = self._done.get(stage.name)
        if known is None:
            return Verdict("run", "not done yet")
        if known.get("fingerprint") != mark:
            return Verdict("run", "options or inputs have changed")
        if known.get("whole") and _is_there(stage):
            return Verdict("skip", f"done in {known['seconds']:.0f} s, unchanged")
        if stage.trains and (stage.output / "checkpoints").is_dir():
            return Verdict("resume", "stopped before its end")
        return Verdict("run", "stopped before its end")

    def note(self, name: str, mark: str, seconds: float, *, whole: bool) -> None:
        before = self._done.get(name, {})
        earlier = before.get("seconds", 0.0) if before.get("fingerprint") == mark and not before.get("whole") else 0.0
        self._done[name] = {"fingerprint": mark, "seconds": round(earlier + seconds, 1), "whole": whole}
        write_text(self.path, json.dumps(self._done, indent=1) + "\n")

    def seconds(self) -> Mapping[str, float]:
        """What each stage took."""
        return {name: float(one["seconds"]) for name, one in self._done.items()}


def _done(stage: Stage, verb: Verb, options: Any, verdict: Verdict, state: _State, mark: str) -> None:
    if verdict.todo == "run":
        _put_aside(stage)
    elif stage.trains:
        more = {"training": {"continue_from": str(stage.output)}}
        options = from_dict(type(options), merged(to_dict(options), more), stage.name)
    began = time.perf_counter()
    state.note(stage.name, mark, 0.0, whole=False)
    try:
        _execute(stage, verb, options, state.path.parent)
    except BaseException:
        state.note(stage.name, mark, time.perf_counter() - began, whole=False)
        raise
    state.note(stage.name, mark, time.perf_counter() - began, whole=True)


def _execute(stage: Stage, verb: Verb, options: Any, folder: Path) -> None:
    """Run the verb; in a process of its own where it wants more threads than there are now.

    Raised within a process, torch's number of threads makes recurrence many times slower.
    """
    import torch

    threads = options.training.threads if stage.trains else 0
    if threads <= torch.get_num_threads():
        resolve(verb.run)(options)
        return
    recipe = folder / "run" / f"{stage.name}.yaml"
    write_text(recipe, to_yaml(options))
    command = [sys.executable, "-m", "onsei", "translation", verb.name, str(recipe)]
    status = subprocess.run(command, check=False).returncode
    if status:
        raise RunError(f"{stage.name}: ended with status {status}", "its message is above; then run the same command")


def _data(options: Run, state: _State) -> Path | None:
    """Folder of the manifests; made where none is given."""
    if options.data_dir is not None:
        return check_data(options.data_dir)
    folder = options.output_dir / "data" / "world"
    if options.dry_run and not (folder / "world.json").is_file():
        print("── data: run (a world of shapes is to be made)")
        return None
    began, there = time.perf_counter(), (folder / "world.json").is_file()
    resolve(WORLD)(folder, options.seed)
    seconds = time.perf_counter() - began
    print(f"── data: {'skip (there)' if there else f'a world of shapes, made in {seconds:.0f} s'}", flush=True)
    if not there:
        state.note("data", str(options.seed), seconds, whole=True)
    return folder


def _put_aside(stage: Stage) -> None:
    """Give the stage an empty place: what lies there is moved beside, never removed."""
    place = stage.output if stage.trains else stage.output.parent
    if stage.verb == "evaluate":
        stage.output.unlink(missing_ok=True)
        return
    if not place.exists():
        return
    number = 1
    while (old := place.with_name(f"{place.name}.old{number}")).exists():
        number += 1
    place.rename(old)
    print(f"   what lay in {place} is now {old.name}")


def _verbs() -> dict[str, Verb]:
    from onsei.systems.translation import SYSTEM

    return {verb.name: verb for verb in SYSTEM.verbs}


def _is_there(stage: Stage) -> bool:
    return (stage.output / store.MODEL_FILE).is_file() if stage.trains else stage.output.is_file()


def _lacking(stage: Stage) -> bool:
    return not all((path / store.WEIGHTS_FILE if path.is_dir() else path).is_file() for path in stage.inputs)


def _more_of(stage: Stage, options: Run, data: Path) -> bool:
    """Whether further stages of the same verb follow."""
    names = [one.name for one in stages(options, data)]
    later = names[names.index(stage.name) + 1 :]
    return any(name.split()[0] == options.last for name in later)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
