"""The dry run: what a training needs of memory, disk and time, before it begins."""

from __future__ import annotations

import numpy as np
import torch

from onsei.data.durations import measure
from onsei.data.manifest import Manifest
from onsei.errors import ConfigError
from onsei.systems.song import lora
from onsei.systems.song.config.train import Train
from onsei.systems.song.data.batches import Batch, Item, collated
from onsei.systems.song.layout import Layout
from onsei.systems.song.learner import SongLearner
from onsei.systems.song.model import SongNetwork
from onsei.systems.song.sketch.frames import FRAME_RATE
from onsei.systems.song.training import planned, told
from onsei.text.phones import SYMBOLS
from onsei.training import memory
from onsei.training.learner import Clock
from onsei.training.onestep import one_step
from onsei.training.peak import free_bytes, readable, resident_bytes
from onsei.training.processes import Processes

_NUMBER = 4
"""Bytes of a weight."""


def dry_run(options: Train) -> dict[str, float]:
    """Count songs, steps and weights, time one step on noise where it fits into memory; writes nothing.

    Prints and returns hours, steps, parameters, bytes and seconds.

    Raises:
        OnseiError: options that do not fit each other, a manifest or base that cannot be read.
    """
    training = options.training
    if training.threads:
        torch.set_num_threads(training.threads)
    seconds = _seconds(options)
    processes = Processes(training.device, training.precision, "")
    found = _weights(options)
    print(f"network: {found['parameters'] / 1e6:.1f} M parameters, {found['trained'] / 1e6:.2f} M of them trained")
    if len(seconds):
        rate = -(-len(seconds) // options.data.batch_size)
        found |= {"hours": float(seconds.sum()) / 3600, "steps": planned(rate, training, processes.world)}
        print(f"songs: {found['hours']:.2f} h; {told(int(found['steps']), len(seconds), tuned=bool(options.base))}")
    found |= _disk(options, found, float(seconds.sum()))
    print(f"disk: {readable(int(found['disk_bytes']))} for checkpoints, model and latents")
    longest = min(float(seconds.max()) if len(seconds) else options.data.max_duration, options.data.max_duration)
    standing = int(_NUMBER * (found["parameters"] + 3 * found["trained"]))
    print(f"weights, gradients and Adam's moments: {readable(standing)}, and what one step holds beside them")
    if standing * 1.2 > free_bytes(processes.device):
        print(f"one step: not tried, {processes.device} has {readable(free_bytes(processes.device))} free")
        return found
    found |= _timed(options, processes, longest)
    print(f"one step of {options.data.batch_size} songs of {longest:.1f} s, {training.precision}, {processes.device}:")
    print(f"  {found['step_seconds']:.2f} s, peak memory {readable(int(found['peak_bytes']))}")
    if "steps" in found:
        found["hours_of_training"] = found["steps"] * training.accumulate * found["step_seconds"] / 3600
        print(f"  all steps: about {found['hours_of_training']:.2f} h")
    return found


def _seconds(options: Train) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Durations of the training rows that would be used."""
    if options.train_manifest is None:
        return np.zeros(0)
    durations = np.nan_to_num(np.asarray(measure(Manifest.open(options.train_manifest)).durations, np.float64))
    used = durations[durations <= options.data.max_duration]
    if not len(used):
        raise ConfigError(
            f"max_duration: no row of {options.train_manifest} is as short as {options.data.max_duration:g} s",
            "cut them: `onsei song prepare --max-duration`",
            ["data.max_duration"],
        )
    return used


def _weights(options: Train) -> dict[str, float]:
    """Parameters of the network, and those that are trained; no memory is taken."""
    with torch.device("meta"):
        network = SongNetwork(options.network, len(SYMBOLS))
        total = sum(p.numel() for p in network.parameters())
        if options.lora.use_lora:
            lora.put_in(network, options.lora)
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    return {"parameters": float(total), "trained": float(trained)}


def _disk(options: Train, found: dict[str, float], seconds: float) -> dict[str, float]:
    """Checkpoints hold weights and Adam's two moments, with an average the weights once more."""
    training = options.training
    copies = 2 if training.ema_decay else 1
    one = _NUMBER * (found["parameters"] * copies + 2 * found["trained"])
    latents = seconds * FRAME_RATE * options.network.latent_dim * _NUMBER * 2
    return {"disk_bytes": one * (training.keep + 1) + _NUMBER * found["parameters"] + latents}


def _timed(options: Train, processes: Processes, longest: float) -> dict[str, float]:
    """Seconds and peak memory of one step on noise."""
    base = resident_bytes()
    torch.manual_seed(options.training.seed)
    network = SongNetwork(options.network, len(SYMBOLS))
    if options.lora.use_lora:
        lora.put_in(network, options.lora)
    learner = SongLearner(network.to(processes.device), options.objective, options.optimization)
    batch = noise(options, longest).to(processes.device)
    print(memory.estimate(learner, batch, Clock(0, 0, 0), processes))
    seconds, peak = one_step(learner, batch, processes, base)
    return {"step_seconds": seconds, "peak_bytes": float(peak)}


def noise(options: Train, seconds: float) -> Batch:
    """A batch of noise as training would see it, of songs of so many seconds."""
    sizes = options.network
    frames = max(1, int(seconds * FRAME_RATE) // sizes.block_size) * sizes.block_size
    draw = torch.Generator().manual_seed(options.training.seed)
    symbols = tuple(range(1, 9))
    item = Item(
        Layout(symbols, symbols, (1,) * len(symbols), 0),
        torch.randn(sizes.prompt_len, sizes.latent_dim, generator=draw),
        torch.randint(0, sizes.num_pitch, (frames,), generator=draw),
        torch.randn(sizes.latent_dim, frames, generator=draw),
    )
    return collated([item] * options.data.batch_size, sizes)
