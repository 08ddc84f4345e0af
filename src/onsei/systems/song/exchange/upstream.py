"""Checkpoints of SongBloom: what sizes their tensors have, what their configurations say, where their parts lie."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from onsei.config import read_yaml
from onsei.errors import ConfigError, ModelError
from onsei.hub import checkpoints, weights
from onsei.systems.song.config import Codec, Network

HEAD = 64
"""Channels of a head in every released network."""
_INDEX = ".index.json"
_KNOWN: dict[str, tuple[object, ...]] = {
    "backend": ("llama",),
    "time_cond_type": ("prepend",),
    "diffusion_objective": ("rectified_flow",),
}
"""Of a configuration, what must be so; others were never released."""


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name, mapped into memory; those of training beside the weights are left.

    Raises:
        ModelError: it cannot be read safely, or holds no tensors by name.
    """
    return tensors_of(path, content(path))


def content(path: Path) -> Any:
    """All that a file holds. Nothing of it is executed. Errors as in ``read``."""
    if path.name.endswith(_INDEX):
        return _shards(path)
    if path.suffix == weights.SUFFIX:
        return weights.load(path)
    return checkpoints.read(path)


def tensors_of(path: Path, found: Any) -> dict[str, Tensor]:
    """The tensors by name in what ``content`` gave. Errors as in ``read``."""
    named = found
    for key in ("state_dict", "model_state_dict", "model"):
        inner = named.get(key) if isinstance(named, dict) else None
        if isinstance(inner, dict) and any(isinstance(value, Tensor) for value in inner.values()):
            named = inner
            break
    tensors = {str(k): v for k, v in named.items() if isinstance(v, Tensor)} if isinstance(named, dict) else {}
    if not tensors:
        raise ModelError(f"{path}: no weights by name in it", "give a checkpoint of SongBloom, `.pt` or `.ckpt`")
    return tensors


def _shards(path: Path) -> dict[str, Tensor]:
    try:
        places = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        files = sorted(set(places.values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path}: not an index of safetensors ({error})", "copy it again") from None
    found: dict[str, Tensor] = {}
    for name in files:
        if Path(name).name != name:
            raise ModelError(f"{path}: names {name!r}, which is not beside it", "do not trust this file")
        found |= weights.load(path.parent / name)
    return found


def parts(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor], list[str]]:
    """Tensors of the network and of the autoencoder, without the prefixes of their files, and names of all others."""
    network: dict[str, Tensor] = {}
    vae: dict[str, Tensor] = {}
    others = []
    for name, tensor in tensors.items():
        plain = re.sub(r"^(?:_forward_module|module|pl_module|songbloom)\.", "", name)
        if plain.startswith("model."):
            network[plain.removeprefix("model.")] = tensor
        elif match := re.match(r"(?:(?:vae|autoencoder|pretransform|model)\.)*((?:en|de)coder\.layers\..*)", plain):
            vae[match[1]] = tensor
        else:
            others.append(name)
    if not network and "bos_token" in tensors:
        return dict(tensors), {}, []
    return network, vae, others


def network_of(tensors: Mapping[str, Tensor], path: Path, config: Mapping[str, Any]) -> tuple[Network, int]:
    """Sizes of a network by its tensors, and by its configuration what these do not tell; and the symbols it knows.

    Raises:
        ModelError: tensors that every SongBloom has are missing.
        ConfigError: the configuration describes another network.
    """
    try:
        symbols, dim = tensors["condition_provider.conditioners.lyrics.output_proj.weight"].shape
        latent = tensors["project_in.weight"].shape[1]
        sizes: dict[str, Any] = {
            "dim": dim,
            "latent_dim": latent,
            "block_size": tensors["block_conv.1.weight"].shape[1] // latent,
            "num_pitch": tensors["skeleton_emb.weight"].shape[0] - 2,
            "timestep_features_dim": tensors["to_timestep_embed.0.weight"].shape[1],
            "max_sentence": tensors[
                "condition_provider.conditioners.lyrics.sentence_idx_in_structure_emb.weight"
            ].shape[0],
            "lm_layers": _count(tensors, "ar_transformer.layers."),
            "diff_layers": _count(tensors, "nar_dit.layers."),
        }
    except (KeyError, ValueError) as error:
        raise ModelError(
            f"{path}: no checkpoint of SongBloom: lacks {error}", "name its .pt, .ckpt or .safetensors"
        ) from None
    said = _said(config)
    for name, value in sizes.items():
        if name in said and isinstance(said[name], int) and said[name] != value:
            raise ConfigError(
                f"configuration: {name} is {said[name]}, the weights have {value}", "give the one of this checkpoint"
            )
    further: dict[str, Any] = {"num_heads": max(1, dim // HEAD)}
    for name, value in (("num_heads", int), ("rotary_base_val", float), ("prompt_len", int), ("lyrics_len", int)):
        if isinstance(said.get(name), int | float):
            further[name] = value(said[name])
    return Network(**sizes, **further), symbols


def _count(tensors: Mapping[str, Tensor], prefix: str) -> int:
    numbers = {int(name.removeprefix(prefix).split(".")[0]) for name in tensors if name.startswith(prefix)}
    if not numbers:
        raise KeyError(f"{prefix}0")
    return max(numbers) + 1


def _said(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a configuration says of the network, under our names.

    Raises:
        ConfigError: a network that was never released.
    """
    model = config.get("model")
    said = dict(model) if isinstance(model, dict) else dict(config)
    for name, known in _KNOWN.items():
        if name in said and said[name] not in known:
            raise ConfigError(
                f"configuration: {name} is {said[name]!r}; read is only {known[0]!r}", "this network is not supported"
            )
    provider = said.get("condition_provider_cfg")
    provider = provider if isinstance(provider, dict) else {}
    for name, part in (("lyrics_len", "lyrics"), ("prompt_len", "prompt_wav")):
        length = _inside(provider.get(part), "max_len")
        if length is not None:
            said[name] = length
    return said


def _inside(group: Any, name: str) -> int | None:
    """The whole number called ``name`` in a group or in the groups in it."""
    if not isinstance(group, dict):
        return None
    if isinstance(group.get(name), int):
        return int(group[name])
    return next((found for inner in group.values() if (found := _inside(inner, name)) is not None), None)


def read_config(path: Path | None) -> dict[str, Any]:
    """The configuration, a YAML file; nothing without one. Names in ``${…}`` stay text."""
    return {} if path is None else read_yaml(path)


def codec_of(tensors: Mapping[str, Tensor], path: Path, sample_rate: int) -> Codec:
    """Sizes of an autoencoder by its tensors, under the names of the released ones.

    Raises:
        ModelError: it is none.
    """
    try:
        channels, audio = tensors["encoder.layers.0.weight_v"].shape[:2]
        layers = max(int(name.split(".")[2]) for name in tensors if name.startswith("encoder.layers.")) - 2
        downs = [tensors[f"encoder.layers.{number}.layers.4.weight_v"] for number in range(1, layers + 1)]
    except (KeyError, ValueError) as error:
        raise ModelError(
            f"{path}: no autoencoder of Stable Audio: lacks {error}", "give autoencoder_music_dsp1920.ckpt"
        ) from None
    return Codec(
        sample_rate=sample_rate,
        audio_channels=audio,
        channels=channels,
        c_mults=tuple(down.shape[0] // channels for down in downs),
        strides=tuple(down.shape[2] // 2 for down in downs),
    )
