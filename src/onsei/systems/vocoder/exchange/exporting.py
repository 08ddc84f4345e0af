"""``onsei vocoder export``: a vocoder as HiFi-GAN's own files, or as one ONNX file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from onsei.config import from_dict, to_dict
from onsei.data.manifest import refuse_existing
from onsei.errors import ConfigError, ModelError
from onsei.hub import store, tracing
from onsei.paths import write_text, written_aside
from onsei.systems.vocoder.config.exchange import Export
from onsei.systems.vocoder.config.network import Network
from onsei.systems.vocoder.exchange.graph import Speaker
from onsei.systems.vocoder.model import Voice, build
from onsei.training import checkpoint as runs
from onsei.vocoder import checkpoints, upstream
from onsei.vocoder.definition import MelDefinition
from onsei.vocoder.discriminators import MultiPeriod, MultiScale
from onsei.vocoder.generator import Generator
from onsei.vocoder.synthesis import Synthesizer
from onsei.vocoder.weightnorm import classic, fill

_FAR = 1e-4
"""Largest difference of samples between ONNX Runtime and here that is let pass."""


def export(options: Export) -> None:
    """Write the files and print what they are.

    Raises:
        OnseiError: a library is missing, the model cannot be opened or is not HiFi-GAN's, or files are there already.
    """
    to_onnx = options.output.suffix.lower() == ".onnx"
    if to_onnx and options.pair:
        raise ConfigError("--pair writes HiFi-GAN's files, not ONNX", "name a folder as --output")
    if to_onnx:
        tracing.check_installed()
    voice, history = opened(options.model)
    if to_onnx:
        refuse_existing([options.output], options.force)
        _export_onnx(voice, options.output)
    else:
        _export_upstream(voice, history, options)


def opened(model: str) -> tuple[Voice, Mapping[str, Any]]:
    """The network of a model folder, with its history."""
    saved = store.open(model, system="vocoder")
    missing = [name for name in ("mel", "network") if name not in saved.config]
    if missing:
        raise ModelError(f"{saved.path}/onsei.json: config lacks {', '.join(missing)}", "copy the whole folder again")
    source = f"{saved.path}/onsei.json"
    mel = from_dict(MelDefinition, saved.config["mel"], source=source)
    voice = build(from_dict(Network, saved.config["network"], source=source), mel)
    fill(voice, saved.weights(), str(saved.path))
    return voice.eval(), saved.history


def write(network: nn.Module, bands: int, path: Path) -> None:
    """Trace ``network`` and write it; batch and length stay open."""
    inputs, outputs = {"mel": {0: "batch", 2: "frames"}}, {"sound": {0: "batch", 1: "samples"}}
    tracing.write(network, (torch.zeros(2, bands, 13),), path, inputs, outputs)


def difference(voice: Voice, path: Path, lengths: tuple[int, ...] = (1, 7, 50)) -> float | None:
    """Largest difference between the sound of the file and of ``voice``, for mels of several lengths.

    None where ONNX Runtime is not installed.
    """
    session = tracing.runtime(path)
    if session is None:
        return None
    ours, worst = Synthesizer(voice), 0.0
    generator = torch.Generator().manual_seed(0)
    for batch, frames in enumerate(lengths, start=1):
        mel: Tensor = torch.randn(batch, voice.mel.n_mels, frames, generator=generator) - 4
        (made,) = session.run(["sound"], {"mel": mel.numpy()})
        if made.shape != (batch, frames * voice.mel.hop):
            return float("inf")
        worst = max(worst, float((torch.from_numpy(made) - ours(mel).clamp(-1, 1)).abs().max()))
    return worst


def _export_onnx(voice: Voice, output: Path) -> None:
    voice.fuse()
    with written_aside(output) as aside:
        write(Speaker(voice).eval(), voice.mel.n_mels, aside)
        facts = {"sample_rate": str(voice.mel.sample_rate), "hop_length": str(voice.mel.hop)}
        tracing.describe(aside, facts | {"mel": json.dumps(to_dict(voice.mel))})
    size = output.stat().st_size / 2**20
    print(f"wrote {output}: {size:.1f} MiB, from mel (batch, {voice.mel.n_mels}, frames) to sound (batch, samples)")
    found = difference(voice, output)
    if found is None:
        return
    if found > _FAR:
        raise ModelError(f"{output}: its sound is {found:.1e} from ours", "do not use this file")
    print(f"compared in ONNX Runtime: samples differ by at most {found:.1e}")


def _export_upstream(voice: Voice, history: Mapping[str, Any], options: Export) -> None:
    if not isinstance(voice, Generator):
        raise ConfigError(f"{options.model}: a fast head, which HiFi-GAN does not have", "export it to a file .onnx")
    folder, steps = options.output, options.steps
    weights: Mapping[str, Tensor] = voice.state_dict()
    training = None
    if options.pair:
        weights, training = _newest(Path(options.model))
        steps = training.steps if steps is None else steps
    if steps is None:
        steps = int(history.get("steps") or 0)
    names = [f"g_{steps:08d}", *([f"do_{steps:08d}"] if training else []), "config.json"]
    refuse_existing([folder / name for name in names], options.force)
    rate = {} if training is None else {"learning_rate": float(training.optim_g["param_groups"][0]["lr"])}
    checkpoints.write_generator(folder / names[0], weights)
    if training is not None:
        checkpoints.write_training(folder / names[1], training)
    write_text(folder / "config.json", upstream.written(upstream.config_of(voice.shape, voice.mel, **rate)))
    print(f"wrote {folder}: {', '.join(names)}")
    if not upstream.is_upstream_mel(voice.mel):
        print("its mel is none that HiFi-GAN's own code makes: give its inference mels of this model's definition only")


def _newest(run: Path) -> tuple[Mapping[str, Tensor], checkpoints.TrainingState]:
    """Generator and training state of a run's newest checkpoint."""
    found = runs.list_readable(run)
    if not found:
        raise ModelError(
            f"{run}: no checkpoints, so no discriminators and optimizers to write", "leave --pair out: a g_ file alone"
        )
    state = found[-1].read_state()
    modules, optimizers = state["modules"], state["optimizers"]
    for name, whole in (("mpd", MultiPeriod), ("msd", MultiScale)):
        with torch.device("meta"):
            wanted = {key: value.shape for key, value in classic(whole().state_dict()).items()}
        if {key: value.shape for key, value in classic(modules[name]).items()} != wanted:
            raise ConfigError(f"{run}: its {name} is not as wide as HiFi-GAN's", "leave --pair out: a g_ file alone")
    standing = found[-1].standing
    training = checkpoints.TrainingState(
        modules["mpd"], modules["msd"], optimizers["generator"], optimizers["discriminator"],
        steps=standing.step, epoch=standing.epoch,
    )  # fmt: skip
    return modules["generator"], training
