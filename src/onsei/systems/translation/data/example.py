"""A tiny corpus of steady tones: what is hidden of one can be told from the rest, and of noise it cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onsei.audio import io
from onsei.data import manifest
from onsei.data.row import Row
from onsei.system import Example
from onsei.systems.translation.config import Request
from onsei.systems.translation.config.pretrain import Crops, Network, Optimizer, Pretrain, Task
from onsei.training.options import Training
from onsei.units.spectral import RATE

PITCHES = (300.0, 800.0, 1700.0, 3400.0)
_CLIPS = {"train": 48, "val": 18}


def example(folder: Path) -> Example:
    """Write the corpus into ``folder``; training on it takes seconds on one core."""
    random = np.random.default_rng(0)
    for name, count in _CLIPS.items():
        manifest.write(folder / f"{name}.jsonl", [_written(folder, f"{name}-{n}", True, random) for n in range(count)])
        noise = [_written(folder, f"noise-{name}-{n}", False, random) for n in range(count)]
        manifest.write(folder / f"noise-{name}.jsonl", noise)
    options = options_for(folder, "", folder / "run")
    sounds = [row.audio for row in manifest.Manifest.open(folder / "val.jsonl") if row.audio is not None]
    return Example(
        train=options,
        control=options_for(folder, "noise-", folder / "control"),
        learned=15.0,
        requests=tuple(Request(sound) for sound in sounds[:6]),
        words=("encode", "{model}", str(sounds[0]), "--format", "json"),
    )


def options_for(folder: Path, kind: str, output: Path) -> Pretrain:
    """Pretraining on the manifests ``kind``train and ``kind``val."""
    return Pretrain(
        train_manifest=folder / f"{kind}train.jsonl",
        val_manifest=folder / f"{kind}val.jsonl",
        output_dir=output,
        network=Network(
            hidden_size=32, layers=1, heads=2, intermediate_size=64, positions=16, codevectors=8, codevector_dim=16
        ),
        task=Task(objective="masked-units", clusters=4, mask_time_prob=0.4, mask_time_length=5, collapse=0.0),
        data=Crops(batch_size=8),
        optimization=Optimizer(learning_rate=1e-2),
        training=Training(
            epochs=8, monitor="val/error", silent=True, seed=1, device="cpu", schedule="cosine", warmup_steps=4
        ),
    )


def _written(folder: Path, name: str, tone: bool, random: np.random.Generator) -> Row:
    path = folder / "音 声" / f"{name}.wav"
    samples = sound(random, float(random.uniform(1.1, 1.5)), tone)
    io.save(path, samples, RATE)
    return Row(id=name, audio=path, duration=len(samples) / RATE)


def sound(random: np.random.Generator, seconds: float, tone: bool = True) -> NDArray[np.float32]:
    """Four tones in a random order, or noise whose level jumps at each frame."""
    count = int(seconds * RATE)
    if not tone:
        gains = np.repeat(random.uniform(0.02, 1.0, (count // 320 + 1)), 320)[:count]
        return np.asarray(0.1 * gains * random.standard_normal(count), dtype=np.float32)
    pitch = np.repeat(random.permutation(PITCHES), -(-count // len(PITCHES)))[:count]
    made = 0.3 * np.sin(2 * np.pi * np.cumsum(pitch) / RATE) + 0.01 * random.standard_normal(count)
    return np.asarray(made, dtype=np.float32)
