"""Checkpoints of HiFi-GAN: g_ (a generator) and do_ (discriminators, optimizers, steps), read as data and written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from onsei.errors import ModelError
from onsei.hub import checkpoints
from onsei.paths import written_aside
from onsei.vocoder.weightnorm import classic, fused

_NAME = re.compile(r"(g|do)_(\d{8,})")
_GENERATOR = "expected a g_ file of HiFi-GAN, a dict with `generator` in it"
_TRAINING = "expected a do_ file of HiFi-GAN, a dict with `mpd`, `msd`, `optim_g`, `optim_d`, `steps` and `epoch`"


@dataclass(frozen=True)
class TrainingState:
    """What a ``do_`` file holds: all that goes on with training beside the generator."""

    mpd: dict[str, Tensor]
    """Weights of the multi-period discriminator, in upstream's layout."""
    msd: dict[str, Tensor]
    """Weights of the multi-scale discriminator."""
    optim_g: dict[str, Any]
    """State of the generator's AdamW."""
    optim_d: dict[str, Any]
    """State of the discriminators' AdamW, over the parameters of msd and then mpd."""
    steps: int
    """Optimizer steps done."""
    epoch: int
    """Epochs done; -1 where there are none."""


def read_generator(path: Path) -> dict[str, Tensor]:
    """Weights of a ``g_`` file by name, in whichever layout of weight normalization they are, in 32 bits.

    Raises:
        ModelError: it cannot be read safely, is no generator, or has weights that are not finite.
    """
    content = checkpoints.read(path)
    inside = content.get("generator", content) if isinstance(content, dict) else None
    if isinstance(content, dict) and "mpd" in content and "generator" not in content:
        raise ModelError(f"{path}: a do_ file: discriminators and optimizers", "name the g_ file beside it")
    return _weights(inside, path, "generator", _GENERATOR)


def read_training(path: Path) -> TrainingState:
    """A ``do_`` file.

    Raises:
        ModelError: it cannot be read safely, or is none.
    """
    content = checkpoints.read(path)
    wanted = {"mpd": dict, "msd": dict, "optim_g": dict, "optim_d": dict, "steps": int, "epoch": int}
    wrong = [name for name, kind in wanted.items() if not isinstance(_item(content, name), kind)]
    if wrong:
        raise ModelError(f"{path}: {', '.join(wrong)} missing or of another kind", _TRAINING)
    return TrainingState(
        mpd=classic(_weights(content["mpd"], path, "mpd", _TRAINING)),
        msd=classic(_weights(content["msd"], path, "msd", _TRAINING)),
        optim_g=_optimizer(content["optim_g"], path, "optim_g"),
        optim_d=_optimizer(content["optim_d"], path, "optim_d"),
        steps=content["steps"],
        epoch=content["epoch"],
    )


def newest(folder: Path) -> tuple[Path | None, Path | None]:
    """The ``g_`` and the ``do_`` file of the highest number, as upstream's training looks for them.

    Either is None where there is none.
    """
    found: dict[str, list[tuple[int, Path]]] = {"g": [], "do": []}
    for path in folder.iterdir() if folder.is_dir() else ():
        name = _NAME.fullmatch(path.name)
        if name and path.is_file():
            found[name[1]].append((int(name[2]), path))
    last = {kind: max(paths)[1] if paths else None for kind, paths in found.items()}
    return last["g"], last["do"]


def pair(folder: Path) -> tuple[Path, Path]:
    """The newest ``g_`` and ``do_`` of a folder, which must be of one step.

    Raises:
        ModelError: one is missing, or they are of different steps.
    """
    generator, training = newest(folder)
    if generator is None or training is None:
        have = "a g_ file but no do_ file" if generator else "no g_ file"
        raise ModelError(
            f"{folder}: {have}; resuming needs both",
            "copy the do_ file there, or fine-tune from the g_ file, with fresh discriminators",
        )
    if generator.name.rpartition("_")[2] != training.name.rpartition("_")[2]:
        raise ModelError(
            f"{folder}: the newest are {generator.name} and {training.name}, of different steps",
            "remove the newer one, or copy the one that is missing",
        )
    return generator, training


def write_generator(path: Path, state: Mapping[str, Tensor]) -> None:
    """Write a ``g_`` file of upstream's layout; ``state`` may have any layout of weight normalization."""
    _write(path, {"generator": _own(classic(state))})


def write_training(path: Path, state: TrainingState) -> None:
    """Write a ``do_`` file of upstream's layout."""
    content = {
        "mpd": _own(classic(state.mpd)), "msd": _own(classic(state.msd)),
        "optim_g": _aged(state.optim_g), "optim_d": _aged(state.optim_d), "steps": state.steps, "epoch": state.epoch,
    }  # fmt: skip
    _write(path, content)


def restore(optimizer: Optimizer, saved: Mapping[str, Any], source: str) -> None:
    """Load AdamW's state of a ``do_`` file into ``optimizer``, whose parameters must come in upstream's order.

    Raises:
        ModelError: another number of parameters, or of other shapes.
    """
    here = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state = {int(number): values for number, values in saved["state"].items()}
    counted = [number for group in saved["param_groups"] for number in group["params"]]
    if len(counted) != len(here):
        raise ModelError(
            f"{source}: an optimizer of {len(counted)} parameters, the network has {len(here)}",
            "give the configuration that it was trained by",
        )
    wrong = [
        f"{number}: {tuple(value.shape)} for {tuple(here[place].shape)}"
        for place, number in enumerate(counted)
        for name, value in state.get(number, {}).items()
        if isinstance(value, Tensor) and name != "step" and value.shape != here[place].shape
    ]
    if wrong:
        raise ModelError(f"{source}: an optimizer of other shapes: {'; '.join(wrong[:4])}", "give its configuration")
    groups = []
    for mine, theirs in zip(optimizer.param_groups, _regrouped(saved, optimizer), strict=True):
        groups.append({**{name: value for name, value in mine.items() if name != "params"}, **theirs})
    steps = {n: {**values, "step": torch.as_tensor(float(values["step"]))} for n, values in state.items() if values}
    optimizer.load_state_dict({"state": steps, "param_groups": groups})


def parameters(msd: nn.Module, mpd: nn.Module) -> Iterable[nn.Parameter]:
    """The discriminators' parameters in upstream's order, as ``optim_d`` counts them."""
    return [*msd.parameters(), *mpd.parameters()]


def shapes(weights: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Shapes of the fused weights by name, for ``upstream.shape_of``."""
    return {name: tuple(value.shape) for name, value in fused(weights).items()}


def _regrouped(saved: Mapping[str, Any], optimizer: Optimizer) -> Sequence[dict[str, Any]]:
    groups: list[dict[str, Any]] = list(saved["param_groups"])
    if len(groups) != len(optimizer.param_groups):
        raise ModelError(
            f"an optimizer of {len(groups)} groups, expected {len(optimizer.param_groups)}", "take a file of HiFi-GAN"
        )
    return groups


def _item(content: Any, name: str) -> Any:
    return content.get(name) if isinstance(content, dict) else None


def _weights(inside: Any, path: Path, part: str, mend: str) -> dict[str, Tensor]:
    if not isinstance(inside, dict) or not inside or not all(isinstance(name, str) for name in inside):
        raise ModelError(f"{path}: no weights of {part} in it", mend)
    prefix = (
        "module." if all(name.startswith("module.") for name in inside) else ""
    )  # saved under DistributedDataParallel
    found = {name.removeprefix(prefix): value for name, value in inside.items()}
    wrong = [name for name, value in found.items() if not isinstance(value, Tensor) or not value.is_floating_point()]
    if wrong:
        raise ModelError(f"{path}: {part}: no plain weights: {', '.join(wrong[:8])}", mend)
    broken = [name for name, value in found.items() if not value.isfinite().all()]
    if broken:
        raise ModelError(f"{path}: {part}: weights that are not finite: {', '.join(broken[:8])}", "take an earlier one")
    return {name: value.float() for name, value in found.items()}


def _optimizer(state: Mapping[str, Any], path: Path, name: str) -> dict[str, Any]:
    inside, groups = state.get("state"), state.get("param_groups")
    sound = isinstance(inside, dict) and isinstance(groups, list)
    sound = sound and all(isinstance(group, dict) and isinstance(group.get("params"), list) for group in groups or ())
    sound = sound and all(isinstance(value, dict) for value in (inside or {}).values())
    if not sound:
        raise ModelError(f"{path}: {name}: no state of an optimizer", _TRAINING)
    return {"state": dict(inside or {}), "param_groups": [dict(group) for group in groups or ()]}


def _aged(state: Mapping[str, Any]) -> dict[str, Any]:
    """An optimizer's state as upstream's version of torch wrote it: steps are whole numbers."""
    inside = {
        int(number): {**_own(values), "step": int(values["step"])} if "step" in values else dict(values)
        for number, values in state["state"].items()
    }
    return {"state": inside, "param_groups": [dict(group) for group in state["param_groups"]]}


def _own(state: Mapping[str, Any]) -> dict[str, Any]:
    """Tensors on the CPU, each with memory of its own size."""
    return {name: value.detach().cpu().clone() if isinstance(value, Tensor) else value for name, value in state.items()}


def _write(path: Path, content: Mapping[str, Any]) -> None:
    with written_aside(path) as aside:
        torch.save(dict(content), aside)
