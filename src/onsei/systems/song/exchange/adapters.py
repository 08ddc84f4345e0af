"""Low-rank adapters in checkpoints (Hu et al. 2022): joined with the weights they change."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from onsei.errors import ModelError
from onsei.hub import checkpoints, weights

_PART = re.compile(r"^(?P<layer>.+?)\.(?P<side>lora_(?:A|B|down|up))(?:\.default)?(?:\.weight)?$")
_BASE = re.compile(r"\.(?:base_layer|base|linear|original|orig|wrapped)\.(weight|bias)$")
_SAVED = re.compile(r"\.modules_to_save(?:\.default)?\.")
_FIRST = ("lora_A", "lora_down")


def joined(tensors: Mapping[str, Tensor], content: Any, alpha: float, path: str) -> tuple[dict[str, Tensor], list[str]]:
    """Weights with every adapter joined to its layer, under the names of the network; and what was joined.

    Args:
        tensors: a state dict in which layers with adapters are wrapped.
        content: all of the checkpoint; its hyperparameters tell the scale.
        alpha: scale times rank; 0: as the checkpoint tells.
        path: for errors.

    Raises:
        ModelError: an adapter by half, of other sizes than its layer, or without a scale.
    """
    pairs: dict[str, dict[str, Tensor]] = {}
    plain: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        name = name.replace("base_model.model.", "")
        part = _PART.match(name)
        if part:
            side = "A" if part["side"] in _FIRST else "B"
            pairs.setdefault(part["layer"], {})[side] = tensor
        elif ".original_module." in name:
            continue  # peft keeps the untrained copy beside the trained one
        elif name.endswith((".scaling", ".lora_dropout")):
            continue
        else:
            plain[_SAVED.sub(".", _BASE.sub(r".\1", name))] = tensor
    if not pairs:
        return dict(tensors), []
    alpha = alpha or _told(content)
    for layer, pair in pairs.items():
        target = f"{layer}.weight"
        if set(pair) != {"A", "B"}:
            raise ModelError(f"{path}: {layer}: only half of an adapter", "copy the checkpoint again")
        if target not in plain:
            raise ModelError(f"{path}: {layer}: an adapter without its layer", "give the base: --base CHECKPOINT")
        if not alpha:
            raise ModelError(f"{path}: adapters, but no lora_alpha", "give it: --lora-alpha 32")
        plain[target] = _added(plain[target], pair["A"], pair["B"], alpha, f"{path}: {layer}")
    rank = min(next(iter(pairs.values()))["A"].shape)
    return plain, [f"{len(pairs)} adapters of rank {rank} joined, alpha {alpha:g}"]


def check_base(path: Path, base: Path) -> None:
    """Refuse weights that the adapters of ``path`` were not trained on, where both tell.

    Raises:
        ModelError: another fingerprint.
    """
    if not {path.suffix, base.suffix} <= {weights.SUFFIX}:
        return
    wanted = weights.metadata(path).get("base", "")
    found = weights.fingerprint(base) if wanted else ""
    if found != wanted:
        raise ModelError(
            f"{base}: fingerprint {found}; the adapters of {path} were trained on {wanted}",
            "give the weights that their training began with: --base",
        )


def _added(weight: Tensor, first: Tensor, second: Tensor, alpha: float, where: str) -> Tensor:
    rank = min(first.shape)
    if first.shape != (rank, weight.shape[1]):
        first, second = first.T, second.T  # some write both the other way round
    if first.shape != (rank, weight.shape[1]) or second.shape != (weight.shape[0], rank):
        found = f"{tuple(first.shape)} and {tuple(second.shape)} for a layer {tuple(weight.shape)}"
        raise ModelError(
            f"{where}: an adapter for another base: {found}", "give the base that it was trained on: --base"
        )
    return (weight.float() + (second.float() @ first.float()) * (alpha / rank)).to(weight.dtype)


def alpha_beside(path: Path) -> float:
    """``lora_alpha`` in peft's ``adapter_config.json`` beside a file of adapters; 0 where none is told."""
    try:
        found = json.loads(path.with_name("adapter_config.json").read_text(encoding="utf-8")).get("lora_alpha")
    except (OSError, ValueError, AttributeError):
        return 0.0
    return float(found) if isinstance(found, int | float) else 0.0


def _told(content: Any) -> float:
    """``lora_alpha`` among the hyperparameters of a checkpoint; 0 where there is none."""
    values = checkpoints.plain(
        {k: v for k, v in content.items() if k not in ("state_dict", "optimizer_states")}
        if isinstance(content, dict)
        else {}
    )
    stack = [values]
    while stack:
        found = stack.pop()
        if isinstance(found, dict):
            for name, value in found.items():
                if name in ("lora_alpha", "alpha") and isinstance(value, int | float) and value:
                    return float(value)
                stack.append(value)
    return 0.0
