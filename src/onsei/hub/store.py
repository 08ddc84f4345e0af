"""The model folder: onsei.json, model.safetensors and README.md, saved whole and opened with every fault named."""

from __future__ import annotations

import json
import math
import platform
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import torch
from torch import Tensor, nn

from onsei import __version__
from onsei.errors import ModelError
from onsei.hub import card, weights
from onsei.hub.about import About
from onsei.hub.weights import is_statistic
from onsei.paths import written_aside

FORMAT = 1
MODEL_FILE = "onsei.json"
WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "README.md"
_STOCK_FILE = "config.json"
RUN_FILES = ("config.yaml", "metrics.jsonl", "quarantine.jsonl", "checkpoints", "tensorboard", "wandb")
"""What a training run keeps beside its model."""
_LARGEST = 64 * 2**20
_REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_FIELDS: dict[str, type] = {
    "system": str, "stage": str, "config": dict, "labels": list, "history": dict, "versions": dict,
}  # fmt: skip


@dataclass(frozen=True)
class ModelFolder:
    """A trained model on disk, opened and checked; its weights are read when asked for."""

    path: Path
    system: str
    """Name of the system that wrote it."""
    stage: str
    """Training stage that wrote it; ``train`` for systems of one stage."""
    config: dict[str, Any]
    """The options it was trained with, as ``onsei.config.to_dict`` gives them."""
    labels: tuple[str, ...]
    """What the network's outputs mean, by index; empty where it has none."""
    history: dict[str, Any]
    """How it was trained, where known: metrics, epochs, steps, seconds, command, data, started, ended."""
    versions: dict[str, str]
    """``onsei``, ``torch`` and ``python`` that wrote it."""
    about: dict[str, Any] = field(default_factory=dict)
    """What else is known, as ``onsei.hub.about.About`` has it: base model, licenses, task, limits. May be left out."""

    def weights(self, device: str | torch.device = "cpu") -> dict[str, Tensor]:
        """Tensors by name, on ``device``."""
        return weights.load(self.path / WEIGHTS_FILE, device)

    def fill(self, module: nn.Module, device: str | torch.device = "cpu", *, assign: bool = False) -> None:
        """Load the weights into ``module``, all of them and no others.

        With ``assign`` the module takes the tensors as they lie in the file, mapped into memory, in place of its own:
        one made on the device ``meta`` then needs no memory twice.

        Raises:
            ModelError: names or shapes differ from the module's.
        """
        try:
            module.load_state_dict(self.weights(device), assign=assign)
        except RuntimeError as error:
            raise ModelError(
                f"{self.path / WEIGHTS_FILE}: does not fit the network that {MODEL_FILE} describes\n  {error}",
                f"{MODEL_FILE} and {WEIGHTS_FILE} must come from one training; copy the whole folder again",
            ) from None


def save(
    folder: Path,
    *,
    system: str,
    stage: str,
    config: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    labels: Sequence[str] = (),
    history: Mapping[str, Any] | None = None,
    about: About | None = None,
    card_text: str = "",
    files: Mapping[str, str | bytes] | None = None,
) -> Path:
    """Write a model into ``folder``, which may hold a run; its other files stay.

    Everything is written aside first and then put in place file by file, ``onsei.json`` last, so that a failure while
    writing (a full disk) leaves the old model as it was.

    Args:
        folder: made when missing.
        system: name of the system.
        stage: training stage.
        config: JSON values (``onsei.config.to_dict``).
        weights: tensors by name.
        labels: meaning of the outputs by index.
        history: JSON values; see ``ModelFolder.history``. Numbers that are not finite become null.
        about: base model, licenses, task and limits, for the model card.
        card_text: the model card; made from the rest when empty.
        files: further files by relative name, for other tools (``config.json``, tokenizer).

    Raises:
        ModelError: a name in ``files`` leaves the folder or is one of the model's or the run's own.
        OnseiError: the disk is full or the folder cannot be written.
    """
    folder = Path(folder)
    extra = dict(files or {})
    for name in extra:
        _check_name(folder, name)
    versions = {"onsei": __version__, "torch": str(torch.__version__), "python": platform.python_version()}
    entry = _finite(
        {
            "format": FORMAT, "system": system, "stage": stage, "config": config, "labels": list(labels),
            "versions": versions, "history": history or {}, "about": {} if about is None else about.to_dict(),
        }
    )  # fmt: skip
    if not card_text:
        count = sum(tensor.numel() for name, tensor in weights.items() if not is_statistic(name))
        card_text = card.model_card(
            name=folder.resolve().name, system=system, stage=stage, history=entry["history"], versions=versions,
            labels=labels, parameters=count, about=about, stock=_STOCK_FILE in extra,
        )  # fmt: skip
    texts = {MODEL_FILE: json.dumps(entry, ensure_ascii=False, indent=1) + "\n", CARD_FILE: card_text, **extra}
    _write_all(folder, texts, weights)
    return folder


def open(
    model: str | Path, *, system: str | None = None, revision: str | None = None, token: str | None = None
) -> ModelFolder:
    """Open a model folder, or fetch and open a Hub repository.

    A name that exists is a folder; ``user/name`` that does not is a repository, unless a folder ``user`` is here.

    Args:
        model: folder or repository id.
        system: the system that must have written it; any when None.
        revision: branch, tag or commit of a repository.
        token: Hub token; see ``onsei.hub.remote`` for where else it comes from.

    Raises:
        ModelError: there is no such model, or it is unfinished, damaged, of another system or of a newer onsei.
    """
    folder = _located(model, revision, token)
    entry = _read_entry(folder)
    if system is not None and entry["system"] != system:
        raise ModelError(
            f"{folder}: expected a model of {system}, found one of {entry['system']}",
            f"use `onsei {entry['system']} …` with it, or choose a {system} model",
        )
    if not (folder / WEIGHTS_FILE).is_file():
        raise ModelError(f"{folder}: {WEIGHTS_FILE} is missing", "copy or download the whole folder again")
    weights.keys(folder / WEIGHTS_FILE)  # names a truncated file now, not in the middle of the work
    known = entry.get("about")
    fields = {name: entry[name] for name in _FIELDS} | {"labels": tuple(entry["labels"])}
    return ModelFolder(folder, **fields, about=known if isinstance(known, dict) else {})


def _write_all(folder: Path, texts: Mapping[str, str | bytes], tensors: Mapping[str, Tensor]) -> None:
    """Write all files aside, then rename: the last one entered first, so onsei.json last."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        for name, content in texts.items():
            aside = stack.enter_context(written_aside(folder / name))
            aside.write_bytes(content.encode() if isinstance(content, str) else content)
        weights.save(stack.enter_context(written_aside(folder / WEIGHTS_FILE)), tensors, {"format": "pt"})


def _check_name(folder: Path, name: str) -> None:
    parts = PurePosixPath(name).parts
    outside = not parts or ".." in parts or name.startswith("/") or "\\" in name or PureWindowsPath(name).drive
    own = bool(parts) and parts[0] in (MODEL_FILE, WEIGHTS_FILE, CARD_FILE, *RUN_FILES)
    if outside or own or "\0" in name:
        reason = "is the model's own" if own else "leaves the folder"
        raise ModelError(
            f"{folder}: a further file may not be called {name!r}: it {reason}", "choose a plain relative name"
        )


def _located(model: str | Path, revision: str | None, token: str | None) -> Path:
    folder = Path(model).expanduser()
    try:
        if folder.is_dir():
            return folder
        exists = folder.exists()
    except (OSError, ValueError) as error:  # too long, NUL inside
        raise ModelError(f"{str(model)[:200]!r}: not a usable path ({error})", "name a model folder") from None
    if exists:
        raise ModelError(f"{folder}: a file, where a model folder is expected", f"name the folder: {folder.parent}")
    if isinstance(model, str) and _REPO_ID.fullmatch(model) and not Path(model).parent.exists():
        from onsei.hub import remote

        return remote.fetch(model, revision=revision, token=token)
    raise ModelError(f"{folder}: no such model folder", "check the path, or give a Hub repository as user/name")


def _read_entry(folder: Path) -> dict[str, Any]:
    file = folder / MODEL_FILE
    if not file.is_file():
        raise _not_a_model(folder)
    if file.stat().st_size > _LARGEST:
        raise ModelError(f"{file}: larger than {_LARGEST >> 20} MiB", "this is no model of onsei")
    try:
        entry = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{file}: not valid JSON ({error})", "copy or download the whole folder again") from None
    except OSError as error:
        raise ModelError(f"{file}: cannot be read ({error.strerror})", "check the folder's permissions") from None
    if not isinstance(entry, dict) or not isinstance(entry.get("format"), int):
        raise ModelError(f"{file}: expected an object with a whole number `format`", "this is no model of onsei")
    if entry["format"] > FORMAT:
        writer = entry["versions"].get("onsei", "?") if isinstance(entry.get("versions"), dict) else "?"
        raise ModelError(
            f"{file}: format {entry['format']}, written by onsei {writer}; onsei {__version__} reads up to {FORMAT}",
            "pip install --upgrade onsei",
        )
    _check_types(file, entry)
    return entry


def _check_types(file: Path, entry: Mapping[str, Any]) -> None:
    faults = [
        f"{name}: expected {kind.__name__}, found {type(entry[name]).__name__ if name in entry else 'nothing'}"
        for name, kind in _FIELDS.items()
        if not isinstance(entry.get(name), kind)
    ]
    for name in ("labels", "versions"):
        values = entry.get(name)
        items = values if isinstance(values, list) else list(values.values()) if isinstance(values, dict) else []
        if not all(isinstance(item, str) for item in items):
            faults.append(f"{name}: expected text, found other values")
    if faults:
        raise ModelError(f"{file}: {'; '.join(faults)}", "copy or download the whole folder again")


def _not_a_model(folder: Path) -> ModelError:
    names = sorted(p.name for p in folder.iterdir())
    foreign = [name for name in names if name.endswith((".pt", ".pth", ".tar", ".ckpt", ".bin", ".pkl"))]
    if (folder / "checkpoints").is_dir():
        return ModelError(
            f"{folder}: a training run that has not finished: it has checkpoints, but no {MODEL_FILE} yet",
            f"go on with `onsei SYSTEM train --continue-from {folder}`; the model is written at its end",
        )
    if WEIGHTS_FILE in names or any(name.endswith(".part") for name in names):
        return ModelError(f"{folder}: {MODEL_FILE} is missing: copied or saved by half", "copy or save the model again")
    if foreign:
        return ModelError(
            f"{folder}: no {MODEL_FILE}; {foreign[0]} is a checkpoint of another toolkit and is not loaded",
            f"bring it in with `onsei SYSTEM import {folder / foreign[0]} --output-dir DIR`",
        )
    return ModelError(
        f"{folder}: not a model folder: it has no {MODEL_FILE}", "name the --output-dir of a finished training"
    )


def _finite(value: Any) -> Any:
    """JSON has no NaN: such numbers become null. Dataclasses are not expected here, mappings and sequences are."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(name): _finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
