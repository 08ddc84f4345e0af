"""Low-rank adapters on the network, by peft: put in, joined, and saved alone as peft opens them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from onsei.errors import ConfigError, MissingExtraError
from onsei.hub import weights
from onsei.paths import written_aside
from onsei.systems.song.config.adapt import Lora
from onsei.systems.song.model import SongNetwork

ALL = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "to_qkv", "to_out")
TABLES = ("skeleton_emb", "skeleton_classifier", "condition_provider.conditioners.lyrics.output_proj")
"""What must learn too where sketches or phones are new."""
_ADAPTER, _CONFIG = "adapter_model.safetensors", "adapter_config.json"
_PREFIX = "base_model.model."


def put_in(network: SongNetwork, options: Lora) -> int:
    """Freeze ``network``, give its layers adapters and set free what learns beside them; returns how many have one.

    Raises:
        ConfigError: no layer of that name.
        MissingExtraError: peft is not installed.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError:
        raise MissingExtraError("peft", "lora", "--use-lora") from None
    linear = [name for name, part in network.named_modules() if isinstance(part, nn.Linear)]
    ends = {name.rpartition(".")[2] for name in linear}
    wanted = ALL if options.lora_train_all else options.targets
    lacking = sorted(set(wanted) - ends)
    if lacking:
        raise ConfigError(
            f"lora.targets: the network has no layers {', '.join(lacking)}",
            f"choose among {', '.join(ALL)}",
            ["lora.targets"],
        )
    config = LoraConfig(
        r=options.rank,
        lora_alpha=options.alpha,  # type: ignore[arg-type]
        lora_dropout=options.dropout,
        target_modules=[name for name in linear if name.rpartition(".")[2] in wanted],
    )
    inject_adapter_in_model(config, network)
    for name in TABLES if options.train_tables else ():
        network.get_submodule(name).requires_grad_(True)
    return len(_layers(network))


def joined(network: nn.Module) -> dict[str, Tensor]:
    """The weights with all adapters joined to their layers, under the names that they have without."""
    state = network.state_dict()
    for name, layer in _layers(network).items():
        delta = sum((layer.get_delta_weight(adapter) for adapter in layer.active_adapters), start=torch.zeros(()))
        own = f"{name}."
        base = {key.removeprefix(own): value for key, value in state.items() if key.startswith(f"{own}base_layer.")}
        state = {key: value for key, value in state.items() if not key.startswith(own)}
        state |= {own + key.removeprefix("base_layer."): value for key, value in base.items()}
        state[f"{own}weight"] = state[f"{own}weight"] + delta.to(state[f"{own}weight"])
    return state


def save(network: nn.Module, options: Lora, folder: Path, base: str = "") -> None:
    """Write the adapters alone, and what was trained beside them: ``PeftModel.from_pretrained`` opens the folder.

    ``base`` is the fingerprint of the weights that they belong to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = network.state_dict()
    kept = {
        _PREFIX + name.replace(".default.", "."): tensor
        for name, tensor in state.items()
        if ".lora_" in name or (options.train_tables and name.startswith(tuple(f"{table}." for table in TABLES)))
    }
    weights.save(folder / _ADAPTER, kept, {"format": "pt", "base": base})
    config: dict[str, Any] = {
        "peft_type": "LORA",
        "r": options.rank,
        "lora_alpha": options.alpha,
        "lora_dropout": options.dropout,
        "target_modules": sorted(_layers(network)),
        "modules_to_save": list(TABLES) if options.train_tables else None,
        "bias": "none",
        "inference_mode": True,
    }
    with written_aside(folder / _CONFIG) as aside:
        aside.write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def _layers(network: nn.Module) -> dict[str, Any]:
    return {name: part for name, part in network.named_modules() if hasattr(part, "get_delta_weight")}
