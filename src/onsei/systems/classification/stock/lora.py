"""Low-rank changes of an encoder's weights (LoRA, Hu et al. 2021): put in by peft, added to the weights in the end."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from onsei.errors import ConfigError, MissingExtraError
from onsei.systems.classification.config import Encoder


def put_in(body: nn.Module, options: Encoder) -> int:
    """Freeze ``body`` and give its ``lora_targets`` low-rank changes to train; returns how many layers have them.

    Raises:
        ConfigError: no layer of that name.
        MissingExtraError: peft is not installed.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError:
        raise MissingExtraError("peft", "lora", "encoder.lora_rank") from None
    names = {name.rpartition(".")[2] for name, part in body.named_modules() if isinstance(part, nn.Linear)}
    lacking = sorted(set(options.lora_targets) - names)
    if lacking:
        raise ConfigError(
            f"encoder.lora_targets: the encoder has no layers {', '.join(lacking)}",
            f"choose among {', '.join(sorted(names))}",
        )
    config = LoraConfig(
        r=options.lora_rank,
        lora_alpha=options.lora_alpha,  # type: ignore[arg-type]
        lora_dropout=options.lora_dropout,
        target_modules=list(options.lora_targets),
    )
    inject_adapter_in_model(config, body)
    return len(_layers(body))


def merged_state(network: nn.Module) -> dict[str, Tensor]:
    """The weights of ``network`` with all low-rank changes added, by the names that they have without them."""
    layers = _layers(network)
    state = network.state_dict()
    for name, layer in layers.items():
        delta = sum((layer.get_delta_weight(adapter) for adapter in layer.active_adapters), start=0)
        prefix = f"{name}."
        base = {
            key.removeprefix(f"{prefix}base_layer."): state[key]
            for key in state
            if key.startswith(f"{prefix}base_layer.")
        }
        state = {key: tensor for key, tensor in state.items() if not key.startswith(prefix)}
        state |= {f"{prefix}{key}": tensor for key, tensor in base.items()}
        state[f"{prefix}weight"] = state[f"{prefix}weight"] + delta.to(state[f"{prefix}weight"])
    return state


def _layers(network: nn.Module) -> dict[str, Any]:
    return {name: part for name, part in network.named_modules() if hasattr(part, "get_delta_weight")}
