"""Weights of another training, for a run that begins with them: all that fits, and the rows of labels by label."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from onsei.config import read_yaml
from onsei.errors import ModelError, OnseiError, RunError
from onsei.hub import store
from onsei.training import checkpoint as checkpoints
from onsei.training.journal import CONFIG
from onsei.training.learner import HasCompanions, Learner
from onsei.training.state import describe_difference

_SHOWN = 40
"""Labels that a message names."""


@runtime_checkable
class HasLabels(Protocol):
    """A Learner with outputs that stand for labels; a new alphabet keeps the rows of the labels it shares."""

    @property
    def labels(self) -> Sequence[str]:
        """What the outputs mean, by index. Its ``state_dict`` holds them as ``labels``."""
        ...

    @property
    def label_rows(self) -> Collection[str]:
        """Tensors whose first axis has a row for each label, as ``module.name``."""
        ...


@dataclass(frozen=True)
class Origin:
    """Weights of another training."""

    place: str
    """What they were taken from, in words."""
    tensors: Mapping[str, Tensor]
    """By name; the module's name may be left out in front."""
    labels: tuple[str, ...] = ()
    """What its outputs mean; empty where unknown."""


def open_origin(name: str, system: str | None = None) -> Origin:
    """Weights of a model folder, a Hub repository, a run folder or one checkpoint folder in it.

    A finished run gives its model; an unfinished one its best checkpoint, or the newest where none was validated.

    Args:
        name: path, or ``user/name`` on the Hub.
        system: the system that must have made a model.

    Raises:
        RunError, ModelError: there is nothing of that kind.
    """
    path = Path(name)
    if path.is_file():
        raise foreign_file(path, system)
    if (path / checkpoints.HEADER).is_file() or path.parent.name == checkpoints.FOLDER:
        return _from_checkpoint(path, "checkpoint")
    if (path / checkpoints.FOLDER).is_dir() and not (path / store.MODEL_FILE).is_file():
        return _from_run(path)
    model = store.open(name, system=system)
    return Origin(f"model {name}", model.weights(), model.labels)


def foreign_file(path: Path, system: str | None) -> RunError:
    """What to tell of a file given where a folder belongs: most often a checkpoint of another toolkit."""
    verb = f"onsei {system or 'SYSTEM'} import {path} --output-dir DIR"
    return RunError(
        f"--continue-from {path}: a file; expected a run folder, a checkpoint folder or a model folder",
        f"bring a checkpoint of another toolkit in with `{verb}`, then give --continue-from DIR --finetune",
    )


def take(learner: Learner, origin: Origin) -> list[str]:
    """Copy the weights of ``origin`` into the Learner's networks, in place; returns what the user should know.

    Raises:
        RunError: names or shapes differ elsewhere than in rows of labels; nothing was copied.
    """
    here = {f"{n}.{key}": t for n, module in learner.modules.items() for key, t in module.state_dict().items()}
    saved = _with_modules(origin.tensors, here)
    notes = [f"weights from {origin.place}; optimizer, epochs and metrics begin anew"]
    if isinstance(learner, HasLabels) and origin.labels:
        new, old = tuple(learner.labels), origin.labels
        if new != old:
            rows = {name: _rearranged(saved[name], here[name], old, new) for name in learner.label_rows & saved.keys()}
            saved |= {name: tensor for name, tensor in rows.items() if tensor is not None}
        notes.append(_told_labels(old, new))
    for name in learner.companions if isinstance(learner, HasCompanions) else ():
        if not any(key.startswith(f"{name}.") for key in saved):
            saved |= {key: tensor for key, tensor in here.items() if key.startswith(f"{name}.")}
            notes.append(f"{name} begins anew: a model holds none")
    difference = describe_difference(saved, here)
    if difference:
        raise RunError(
            f"{origin.place}: made by another network: {difference}",
            "train the network of that model: without a recipe's name its own options are taken, or give the same ones",
        )
    with torch.no_grad():
        for name, tensor in here.items():
            tensor.copy_(saved[name])
    return notes


def model_tensors(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """What a run would save of a checkpoint's ``state``: averages where it keeps any, mean statistics of all processes.

    Returns:
        Tensors as ``module.name``.
    """
    tensors = {f"{name}.{key}": t for name, part in state["modules"].items() for key, t in part.items()}
    parts: Sequence[Mapping[str, Tensor]] = state["statistics"]
    means = {name: torch.stack([part[name] for part in parts]).mean(0) for name in (parts[0] if parts else ())}
    tensors |= {name: mean for name, mean in means.items() if name in tensors}
    if state["ema"] is not None:
        tensors |= {name: means.get(f"average of {name}", t) for name, t in state["ema"]["average"].items()}
    return tensors


def named_as(tensors: Mapping[str, Tensor], names: Collection[str]) -> dict[str, Tensor]:
    """``tensors``, named ``module.name``, by the ``names`` of a model folder, which may leave the module out."""
    short = {name.partition(".")[2]: name for name in reversed(list(tensors))}
    found = {name: name if name in tensors else short.get(name, "") for name in names}
    return {name: tensors[full] for name, full in found.items() if full}


def _from_checkpoint(path: Path, kind: str) -> Origin:
    found = checkpoints.read(path)
    state = found.read_state()
    labels = state["learner"].get("labels", ()) if isinstance(state["learner"], Mapping) else ()
    return Origin(f"{kind} {path}", model_tensors(state), tuple(labels))


def _from_run(run: Path) -> Origin:
    mode = "min"
    with suppress(OnseiError, AttributeError):  # a configuration that cannot be read decides nothing here
        mode = read_yaml(run / CONFIG).get("training", {}).get("mode", mode)
    best = checkpoints.find_best(run, mode)
    if best is not None:
        return _from_checkpoint(best.path, "the best checkpoint,")
    for folder in reversed(checkpoints.list_folders(run)):
        with suppress(ModelError):
            return _from_checkpoint(folder, "the newest checkpoint,")
    raise RunError(f"{run}: holds no whole checkpoint and no model", "name a folder of a training that got further")


def _with_modules(saved: Mapping[str, Tensor], here: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``saved`` by the names of ``here``: a model folder may leave the module's name out."""
    full = {name.partition(".")[2]: name for name in reversed(list(here))}
    return {name if name in here else full.get(name, name): tensor for name, tensor in saved.items()}


def _rearranged(saved: Tensor, here: Tensor, old: Sequence[str], new: Sequence[str]) -> Tensor | None:
    """Rows of ``saved`` in the order of the labels ``new``; those of labels it lacks as they are ``here``."""
    if len(saved) != len(old) or len(here) != len(new) or saved.shape[1:] != here.shape[1:]:
        return None
    rows = {label: row for row, label in enumerate(old)}
    kept = [(row, rows[label]) for row, label in enumerate(new) if label in rows]
    tensor = here.detach().cpu().clone()
    tensor[[row for row, _ in kept]] = saved[[row for _, row in kept]].to(tensor.dtype)
    return tensor


def _told_labels(old: Sequence[str], new: Sequence[str]) -> str:
    kept = set(old) & set(new)
    fresh, dropped = [x for x in new if x not in kept], [x for x in old if x not in kept]
    parts = [f"{len(kept)} of {len(new)} labels kept"]
    parts += [f"{word}: {_listed(labels)}" for word, labels in (("new", fresh), ("dropped", dropped)) if labels]
    return ", ".join(parts)


def _listed(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else ""
    return " ".join(map(repr, labels[:_SHOWN])) + more
