"""A MuQ by Hub name or folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from onsei.errors import ModelError
from onsei.hub import checkpoints, weights
from onsei.nn.device import pick_device
from onsei.units.muq.network import MuQ, Shape, own
from onsei.units.ssl import CONFIG, locate, read_json

NAME = "OpenMuQ/MuQ-large-msd-iter"
"""The one that SongBloom's fork makes sketches with; its weights are for non-commercial use (CC-BY-NC 4.0)."""
_FILES = ("model.safetensors", "pytorch_model.bin")


def load(name: str | Path = NAME, device: str = "auto") -> MuQ:
    """Open a MuQ, ready to listen on a device of its own.

    Args:
        name: Hub repository ``user/name``, or a folder with ``config.json`` and weights.
        device: as in ``onsei.nn.device.pick_device``.

    Raises:
        ModelError: there is no such model, or it is none of MuQ's, or damaged.
        ConfigError: no such device.
    """
    place = pick_device(device)
    folder = locate(name)
    shape = shape_of(read_json(folder / CONFIG), folder / CONFIG)
    path = next((folder / file for file in _FILES if (folder / file).is_file()), None)
    if path is None:
        raise ModelError(f"{folder}: no {' or '.join(_FILES)}", "copy or download the whole folder")
    network = MuQ(shape)
    fill(network, weights.load(path) if path.suffix == weights.SUFFIX else _tensors(path), str(path))
    return network.eval().requires_grad_(False).to(place)


def fill(network: MuQ, tensors: Mapping[str, Tensor], source: str) -> None:
    """Take weights under the names of released checkpoints.

    Raises:
        ModelError: names or shapes differ from the network's.
    """
    try:
        network.load_state_dict(own(tensors))
    except RuntimeError as error:
        raise ModelError(f"{source}: does not fit its {CONFIG}\n  {error}", "copy the whole folder again") from None


def shape_of(config: Mapping[str, Any], source: Path | str) -> Shape:
    """Sizes that a ``config.json`` of MuQ names.

    Raises:
        ModelError: it is none of MuQ's, or of a kind that was never released.
    """
    inner, stat = config.get("w2v2_config"), config.get("stat")
    if not isinstance(inner, dict) or not isinstance(stat, dict) or "encoder_dim" not in config:
        raise ModelError(f"{source}: no configuration of MuQ", f"name a MuQ model, such as {NAME}")
    if inner.get("position_embeddings_type", "rotary") != "rotary" or inner.get("hidden_act", "swish") != "swish":
        raise ModelError(f"{source}: a MuQ of another kind than those released", f"name one such as {NAME}")
    told = {**inner, **config, "mean": stat.get("melspec_2048_mean"), "deviation": stat.get("melspec_2048_std")}
    return Shape(**{field.name: told[field.name] for field in fields(Shape) if told.get(field.name) is not None})


def _tensors(path: Path) -> dict[str, Tensor]:
    found = checkpoints.read(path)
    named = found.get("state_dict", found) if isinstance(found, dict) else {}
    return {str(k): v for k, v in named.items() if isinstance(v, torch.Tensor)} if isinstance(named, dict) else {}
