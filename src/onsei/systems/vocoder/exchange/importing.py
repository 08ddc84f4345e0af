"""``onsei vocoder import``: a generator of HiFi-GAN becomes a model folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from onsei.config import to_dict
from onsei.errors import ConfigError, ModelError
from onsei.hub import store
from onsei.systems.vocoder.config.exchange import Import
from onsei.systems.vocoder.config.network import Network
from onsei.vocoder import checkpoints, upstream
from onsei.vocoder.definition import MelDefinition
from onsei.vocoder.generator import Generator
from onsei.vocoder.shapes import GeneratorShape
from onsei.vocoder.weightnorm import fill

_PUBLISHED = (80, 256)
"""Mel bands and hop of all published generators, whose other sizes are known."""


@dataclass(frozen=True)
class Found:
    """A generator of HiFi-GAN with all that is needed to use it here."""

    path: Path
    generator: Generator
    history: dict[str, Any]
    remarks: tuple[str, ...]


def bring(options: Import) -> None:
    """Write the model folder and say what was found.

    Raises:
        OnseiError: the checkpoint cannot be read safely, is no generator of HiFi-GAN, does not fit its configuration,
            or the folder is not free.
    """
    folder = options.output_dir
    if (folder / store.MODEL_FILE).exists() and not options.force:
        raise ConfigError(f"{folder}: holds a model already", "give --force to replace it, or name another folder")
    if (folder / "checkpoints").exists():
        raise ConfigError(f"{folder}: holds a training run", "name another --output-dir")
    found = understand(options.checkpoint, options.config)
    network = Network(kind="hifigan", generator=found.generator.shape)
    store.save(
        folder,
        system="vocoder",
        stage="train",
        config={"mel": to_dict(found.generator.mel), "network": to_dict(network)},
        weights=found.generator.state_dict(),
        history=found.history,
    )
    print(report(found, folder))


def understand(checkpoint: Path, config: Path | None = None) -> Found:
    """The generator in a ``g_`` file, or the newest of a folder.

    Raises:
        OnseiError: as for ``bring``.
    """
    path = checkpoint
    if checkpoint.is_dir():
        newest, _ = checkpoints.newest(checkpoint)
        if newest is None:
            raise ModelError(f"{checkpoint}: no g_ file in this folder", "name the file, such as g_00500000")
        path = newest
    weights = checkpoints.read_generator(path)
    beside = path.with_name("config.json")
    if config is None and beside.is_file():
        config = beside
    shape, mel, remarks = _described(path, weights, config)
    try:
        shape = shape.fitted(mel.hop)
        mel.check()
    except ConfigError as error:
        raise ModelError(f"{config or path}: {error.message}", error.mend) from None
    generator = Generator(shape, mel)
    fill(generator, weights, str(path))
    history: dict[str, Any] = {"imported": {"source": "HiFi-GAN", "file": path.name}}
    steps = re.fullmatch(r"g_(\d+)", path.name)
    if steps:
        history["steps"] = int(steps[1])
    training = path.with_name(path.name.replace("g_", "do_", 1))
    if training.name != path.name and training.is_file():
        remarks.append(
            f"{training.name} is left where it is: to go on training with its discriminators, train into {path.parent}"
        )
    return Found(path, generator, history, tuple(remarks))


def report(found: Found, folder: Path) -> str:
    """What was found, what was assumed, and what to do next."""
    shape, mel = found.generator.shape, found.generator.mel
    count = sum(parameter.numel() for name, parameter in found.generator.named_parameters() if "original0" not in name)
    lines = [
        f"{found.path}: generator of HiFi-GAN",
        f"  network  resblock {shape.resblock}, {shape.upsample_initial_channel} channels, rates "
        f"{list(shape.upsample_rates)}, kernels {list(shape.upsample_kernel_sizes)}, {count:,} parameters",
        f"  mel      {mel.n_mels} bands from {mel.f_min:g} to {mel.top:g} Hz, n_fft {mel.n_fft}, hop {mel.hop}, window "
        f"{mel.win_length}, {mel.sample_rate} Hz",
        *(f"  {remark}" for remark in found.remarks),
        f"wrote {folder}; next:",
        f"  onsei vocoder vocode {folder} SOUND --output-dir DIR",
        f"  onsei vocoder check {folder} MEL",
    ]
    return "\n".join("".join(c if c.isprintable() else repr(c)[1:-1] for c in line) for line in lines)


def _described(
    path: Path, weights: dict[str, Tensor], config: Path | None
) -> tuple[GeneratorShape, MelDefinition, list[str]]:
    """Shape and mel by the configuration; without one, as the weights tell and as was published."""
    if config is not None:
        file = upstream.read_config(config)
        return file.config.generator(), file.config.mel(), list(file.remarks)
    try:
        shape = upstream.shape_of(checkpoints.shapes(weights))
    except ConfigError as error:
        raise ModelError(f"{path}: {error.message}", error.mend) from None
    bands, hop = weights_bands(weights), upstream.hop_of(shape)
    if (bands, hop) != _PUBLISHED:
        raise ModelError(
            f"{path}: {bands} bands and hop {hop}, which no published generator has, and no config.json beside it",
            "give the configuration that it was trained by: --config FILE",
        )
    remark = (
        "no config.json beside it: assumed the published mel (22050 Hz, n_fft 1024, 0 to 8000 Hz) and dilations "
        f"{[list(steps) for steps in shape.resblock_dilation_sizes]}; give --config if it was trained otherwise"
    )
    return shape, MelDefinition(), [remark]


def weights_bands(weights: dict[str, Tensor]) -> int:
    """Mel bands that a generator's first convolution takes."""
    return checkpoints.shapes(weights)["conv_pre.weight"][1]
