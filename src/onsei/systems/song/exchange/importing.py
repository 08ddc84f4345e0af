"""``onsei song import``: a checkpoint of SongBloom becomes a model folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from onsei.config import to_dict
from onsei.errors import ConfigError, ModelError
from onsei.hub import store
from onsei.hub.about import About
from onsei.nn.device import pick_dtype
from onsei.systems.song.config import Codec, Import, Network
from onsei.systems.song.exchange import adapters, codebooks, upstream
from onsei.systems.song.model import SongModel
from onsei.systems.song.model.autoencoder import released
from onsei.text.phones import SYMBOLS, Phones

_VAE = ("autoencoder_music_dsp1920.ckpt",)
_VOCAB = ("vocab_g2p.yaml",)
_RATE = 48000
_SHOWN = 12
ABOUT = About(
    summary="Sings lyrics with the voice of a prompt: SongBloom's network, implemented unofficially from the paper.",
    limits=(
        "Weights released by SongBloom's authors may be used for academic purposes only.",
        "The authors have not released their training code; onsei's is written from the paper.",
    ),
)


@dataclass(frozen=True)
class Found:
    """A singer with all that is needed to use it here."""

    network: Network
    codec: Codec
    phones: Phones
    weights: dict[str, Tensor]
    remarks: tuple[str, ...]


def bring(options: Import) -> None:
    """Write the model folder and say what was found.

    Tensors stay in the mapped files until they are written: memory holds no second copy.

    Raises:
        OnseiError: the checkpoint cannot be read safely, is no SongBloom, parts do not fit, or the folder is not free.
    """
    folder = options.output_dir
    if (folder / store.MODEL_FILE).exists() and not options.force:
        raise ConfigError(f"{folder}: holds a model already", "give --force to replace it, or name another folder")
    if (folder / "checkpoints").exists():
        raise ConfigError(f"{folder}: holds a training run", "name another --output-dir")
    content = upstream.content(options.checkpoint)
    tensors = upstream.tensors_of(options.checkpoint, content)
    if codebooks.is_codebook(tensors):
        _bring_codebook(options, tensors)
        return
    found = understand(options, content, tensors)
    store.save(
        folder,
        system="song",
        stage="train",
        config={"network": to_dict(found.network), "codec": to_dict(found.codec)},
        weights=found.weights,
        labels=found.phones.symbols,
        history={"imported": {"source": "SongBloom", "file": options.checkpoint.name}},
        about=ABOUT,
    )
    print(report(found, options))


def _bring_codebook(options: Import, tensors: dict[str, Tensor]) -> None:
    path = options.output_dir / f"{options.checkpoint.stem}.safetensors"
    if path.exists() and not options.force:
        raise ConfigError(f"{path}: is there already", "give --force to replace it, or name another folder")
    found = codebooks.codebook(tensors, options.muq_model, options.checkpoint)
    options.output_dir.mkdir(parents=True, exist_ok=True)
    found.save(path)
    print(f"{options.checkpoint}: {found.codes} codes over {found.embedding}\nwrote {path}, {found.fingerprint}")


def understand(options: Import, content: Any, tensors: dict[str, Tensor]) -> Found:
    """Network, codec and table of symbols of a checkpoint and what lies beside it. Errors as for ``bring``."""
    path = options.checkpoint
    if options.base is not None:
        adapters.check_base(path, options.base)
        tensors = {**upstream.read(options.base), **_under_model(tensors)}
    alpha = options.lora_alpha or adapters.alpha_beside(path)
    tensors, remarks = adapters.joined(tensors, content, alpha, str(path))
    network_tensors, vae_tensors, others = upstream.parts(tensors)
    if others:
        remarks.append(f"left out, as no part of the network: {_listed(others)}")
    config = upstream.read_config(options.config or _beside(path, (f"{path.name.partition('.')[0]}.yaml",)))
    network, symbols = upstream.network_of(network_tensors, path, config)
    vae_path = options.vae_ckpt or _beside(path, _VAE)
    if options.vae_ckpt is not None or not vae_tensors:
        if vae_path is None:
            raise ModelError(f"{path}: holds no autoencoder, and none is beside it", "give it: --vae-ckpt FILE")
        _, vae_tensors, _ = upstream.parts(upstream.read(vae_path))
    rate = config.get("sr")
    codec = upstream.codec_of(vae_tensors, vae_path or path, rate if isinstance(rate, int) else _RATE)
    kind = pick_dtype(options.dtype)
    weights = {f"model.{name}": tensor.to(kind) for name, tensor in network_tensors.items()}
    weights |= {f"vae.{name}": tensor for name, tensor in _named(vae_tensors, codec, vae_path or path).items()}
    _check(network, codec, symbols, weights, path)
    return Found(network, codec, _table(options, symbols), weights, tuple(remarks))


def report(found: Found, options: Import) -> str:
    """What was found, and what to do next."""
    network, codec = found.network, found.codec
    count = sum(tensor.numel() for name, tensor in found.weights.items() if name.startswith("model."))
    lines = [
        f"{options.checkpoint}: SongBloom",
        f"  network  {network.lm_layers} + {network.diff_layers} layers of {network.dim} channels, {network.num_heads} "
        f"heads, {network.num_pitch} sketch tokens, {len(found.phones)} symbols, {count:,} parameters",
        f"  codec    {codec.sample_rate} Hz, {codec.audio_channels} channels, {codec.frame_rate:g} frames a second",
        *(f"  {remark}" for remark in found.remarks),
        f"wrote {options.output_dir}; next:",
        f"  onsei song generate {options.output_dir} '[verse] …' --prompt-wav SOUND --output-dir DIR",
    ]
    return "\n".join("".join(c if c.isprintable() else repr(c)[1:-1] for c in line) for line in lines)


def _under_model(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of a file of adapters alone, under the names that whole checkpoints have."""
    plain = {name.replace("base_model.model.", ""): tensor for name, tensor in tensors.items()}
    return {name if name.startswith("model.") else f"model.{name}": tensor for name, tensor in plain.items()}


def _named(tensors: dict[str, Tensor], codec: Codec, path: Path) -> dict[str, Tensor]:
    try:
        return released(tensors, len(codec.strides))
    except (KeyError, ValueError, IndexError) as error:
        raise ModelError(
            f"{path}: an autoencoder of another kind ({error})", "give autoencoder_music_dsp1920.ckpt"
        ) from None


def _check(network: Network, codec: Codec, symbols: int, weights: dict[str, Tensor], path: Path) -> None:
    """Refuse weights that do not fill the network exactly; all that differs is named."""
    with torch.device("meta"):
        wanted = SongModel(network, codec, symbols).state_dict()
    faults = [f"missing: {name}" for name in wanted if name not in weights]
    faults += [f"unknown: {name}" for name in weights if name not in wanted]
    faults += [
        f"{name}: expected {tuple(wanted[name].shape)}, found {tuple(tensor.shape)}"
        for name, tensor in weights.items()
        if name in wanted and wanted[name].shape != tensor.shape
    ]
    if faults:
        shown = "\n".join(f"  {fault}" for fault in faults[:_SHOWN])
        further = f"\n  and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        raise ModelError(f"{path}: does not fill the network:\n{shown}{further}", "is it whole, and of this kind?")


def _table(options: Import, count: int) -> Phones:
    path = options.vocab or _beside(options.checkpoint, _VOCAB)
    phones = Phones(SYMBOLS) if path is None else Phones.read(path)
    if len(phones) != count:
        source = "that of the released models" if path is None else str(path)
        raise ModelError(
            f"{options.checkpoint}: knows {count} symbols; the table, {source}, has {len(phones)}",
            "give the table that it was trained with: --vocab FILE",
        )
    return phones


def _beside(path: Path, names: tuple[str, ...]) -> Path | None:
    return next((path.with_name(name) for name in names if path.with_name(name).is_file()), None)


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:4])}{f' and {len(names) - 4} more' if len(names) > 4 else ''}"
