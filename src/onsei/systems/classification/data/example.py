"""A tiny corpus of three kinds of sound: it shows in seconds whether a classifier learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onsei.audio import io
from onsei.data import manifest
from onsei.data.row import Row
from onsei.system import Example
from onsei.systems.classification.config import Augment, Data, Features, Model, Optimizer, Request, Train
from onsei.training.options import Training

RATE = 8000
KINDS = ("chirp", "hum", "noise")
_CLIPS = {"train": 20, "val": 10}
"""Sounds of each kind."""


def example(folder: Path) -> Example:
    """Write the corpus into ``folder``; training on it takes seconds on one core."""
    random = np.random.default_rng(0)
    parts = {name: _rows(folder, name, count, random) for name, count in _CLIPS.items()}
    labels = [row.label for row in parts["train"]]
    shuffled = [
        replace(r, label=labels[n]) for r, n in zip(parts["train"], random.permutation(len(labels)), strict=True)
    ]
    for name, rows in (*parts.items(), ("shuffled", shuffled)):
        manifest.write(folder / f"{name}.jsonl", rows)
    options = Train(
        train_manifest=folder / "train.jsonl",
        val_manifest=folder / "val.jsonl",
        output_dir=folder / "run",
        features=Features(sample_rate=RATE, seconds=0.6, n_mels=24),
        model=Model(channels=(8, 16), strides=(2, 2)),
        augment=Augment(shift=0.5, mixup=0.2, freq_masks=1, freq_width=3),
        data=Data(batch_size=12),
        optimization=Optimizer(learning_rate=1e-2),
        training=Training(epochs=6, monitor="val/error", silent=True, seed=1, device="cpu"),
    )
    control = replace(options, train_manifest=folder / "shuffled.jsonl", output_dir=folder / "control")
    sounds = [row.audio for row in parts["val"] if row.audio is not None]
    return Example(
        train=options,
        control=control,
        learned=5.0,
        requests=tuple(Request(sound) for sound in sounds[:: len(sounds) // 6]),
        words=("classify", "{model}", str(sounds[0]), "--format", "json"),
    )


def _rows(folder: Path, part: str, count: int, random: np.random.Generator) -> list[Row]:
    return [_written(folder, f"{part}-{kind}-{n}", kind, random) for n in range(count) for kind in KINDS]


def _written(folder: Path, name: str, kind: str, random: np.random.Generator) -> Row:
    path = folder / "音 声" / f"{name}.wav"
    samples = sound(kind, random.uniform(0.4, 0.9), random)
    io.save(path, samples, RATE)
    return Row(id=name, audio=path, duration=len(samples) / RATE, label=kind)


def sound(kind: str, seconds: float, random: np.random.Generator) -> NDArray[np.float32]:
    """A sound of the ``kind``, about ``seconds`` long, with a little noise: float32 (T,) at ``RATE``."""
    time = np.arange(int(seconds * RATE)) / RATE
    pitch, level = random.uniform(200, 900), random.uniform(0.05, 0.3)
    if kind == "hum":
        made = np.sin(2 * np.pi * pitch * time)
    elif kind == "chirp":
        made = np.sin(2 * np.pi * (pitch * time + random.uniform(1500, 2500) * time**2))
    else:
        made = 0.5 * random.standard_normal(len(time))
    return (level * made + 0.002 * random.standard_normal(len(time))).astype(np.float32)
