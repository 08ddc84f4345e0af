"""Vision Transformers by folder or Hub name as image encoders.

B batch, S pixels of a side, E size of the common space.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from onsei.errors import ModelError
from onsei.hub import remote
from onsei.units.ssl import loaded, with_attention
from onsei.vision.images import Transform

FAMILIES = ("vit", "deit", "dinov2", "beit", "data2vec-vision", "vit_mae")
"""Kinds of network (``model_type`` of ``config.json``) that are read: their first state stands for the picture."""


class PretrainedImageEncoder(nn.Module):
    """A Vision Transformer, and a projection of its first state.

    Args:
        network: transformers' model.
        size: of the embedding, E.
        freeze: what of it is not trained.
    """

    def __init__(self, network: nn.Module, size: int, freeze: Literal["all", "embeddings", "none"]) -> None:
        super().__init__()
        self.network = network
        width = int(network.config.hidden_size)  # type: ignore[union-attr, arg-type]
        self.project = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, size))
        self.freeze = freeze
        fixed = {"all": network, "embeddings": getattr(network, "embeddings", network), "none": None}[freeze]
        if fixed is not None:
            fixed.requires_grad_(False)

    def train(self, mode: bool = True) -> PretrainedImageEncoder:
        """As of any module; what is frozen drops nothing out."""
        super().train(mode)
        if self.freeze == "all":
            self.network.eval()
        return self

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures, (B, 3, S, S), as the network's own transform gives them → (B, E), of length 1."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.freeze != "all"):
            state = self.network(pixel_values=pictures).last_hidden_state[:, 0]
        vector: Tensor = normalize(self.project(state), dim=-1)
        return vector


def located(name: str) -> Path:
    """Folder of a network: one that is here, or a Hub repository, fetched.

    Raises:
        ModelError: there is none, or it is of no kind that is read.
    """
    folder = Path(name).expanduser()
    if not folder.is_dir():
        if "/" not in name or name.startswith((".", "/", "~")):
            raise ModelError(f"{name}: no such folder", "give the folder of a Vision Transformer, or a Hub name")
        folder = remote.fetch(name)
    kind = _json(folder / "config.json").get("model_type")
    if kind not in FAMILIES:
        raise ModelError(f"{folder}: a network of kind {kind}", f"name one of {', '.join(FAMILIES)}")
    return folder


def opened(folder: Path) -> tuple[nn.Module, Transform]:
    """A network with its weights, and what it wants to see.

    Raises:
        ModelError: the folder is damaged, or has no weights that are safe to read.
    """
    from transformers import AutoConfig, AutoModel

    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{folder}: no readable config.json ({str(error).splitlines()[0]})", "fetch it again"
        ) from None
    network, missing = loaded(AutoModel, folder, with_attention(config), pickles=False)
    lacking = [name for name in missing if not name.startswith("pooler.") and "mask_token" not in name]  # not asked
    if lacking:
        raise ModelError(f"{folder}: the weights lack {len(lacking)} tensors, first {lacking[0]}", "fetch it again")
    return network, _transform(folder, int(config.image_size))


def configured(config: Mapping[str, Any]) -> nn.Module:
    """A network of a configuration, without its weights."""
    from transformers import AutoConfig, AutoModel

    values = dict(config)
    make: Any = AutoModel.from_config
    made: nn.Module = make(with_attention(AutoConfig.for_model(values.pop("model_type"), **values)))
    return made


def configuration(network: Any) -> dict[str, Any]:
    """The configuration of a network, as JSON values."""
    values: dict[str, Any] = json.loads(network.config.to_json_string(use_diff=True))
    return values


def _transform(folder: Path, size: int) -> Transform:
    found = _json(folder / "preprocessor_config.json", missing={})
    asked = found.get("size", size)
    if isinstance(asked, dict):
        asked = asked.get("height", asked.get("shortest_edge", size))
    crop = found.get("crop_size", asked) if found.get("do_center_crop") else asked
    crop = crop.get("height", size) if isinstance(crop, dict) else crop
    mean, deviation = (tuple(float(v) for v in found.get(key, (0.5, 0.5, 0.5))) for key in ("image_mean", "image_std"))
    fit: Literal["crop", "squeeze"] = "crop" if found.get("do_center_crop") else "squeeze"
    return Transform(int(crop), fit, mean, deviation)  # type: ignore[arg-type]


def _json(path: Path, missing: dict[str, Any] | None = None) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if missing is not None:
            return missing
        raise ModelError(f"{path.parent}: no {path.name}", "name the folder of a Vision Transformer") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: not readable ({error})", "fetch it again") from None
    return values if isinstance(values, dict) else {}
