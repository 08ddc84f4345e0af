"""A tiny corpus of films whose bar sings its height: it shows in seconds whether a mel generator learns."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onsei.data import manifest
from onsei.data.row import Row
from onsei.system import Example
from onsei.systems.articulation.config import Data, Losses, Model, Optimizer, Request, Train
from onsei.systems.articulation.data.clips import Analysis, Clip, Moments, write_clip, write_meta
from onsei.systems.articulation.data.prepared import Prepared
from onsei.training.options import Training
from onsei.vision import film
from onsei.vocoder.definition import MelDefinition

RATE, HOP, SIZE = 4000, 160, 16
MEL = MelDefinition(
    sample_rate=RATE, n_fft=512, hop_length=HOP, win_length=320, n_mels=16, f_max=None,
    quantity="power", log="decibel", floor=1e-2, epsilon=0.0, peak=None,
)  # fmt: skip
PREPARED = Prepared(MEL, f"{RATE}/{HOP}", 1, SIZE, prepared="example")
_FRAMES = 14


def example(folder: Path) -> Example:
    """Write the corpus into ``folder``; training on it takes seconds on one core. The control learns from mels of other
    films.
    """
    random = np.random.default_rng(0)
    clips = {"train": [_clip(f"t{n}", random) for n in range(24)], "val": [_clip(f"v{n}", random) for n in range(8)]}
    moments = Moments()
    rows: dict[str, list[Row]] = {}
    for name, part in clips.items():
        rows[name] = [write_clip(folder, clip, PREPARED, "uint8") for clip in part]
        wrong = [replace(row, features=rows[name][(n + 1) % len(part)].features) for n, row in enumerate(rows[name])]
        manifest.write(folder / f"{name}.jsonl", rows[name])
        manifest.write(folder / f"{name}-wrong.jsonl", wrong)
    for clip in clips["train"]:
        moments.add(clip.mel)
    write_meta(folder, PREPARED, moments.scaler())
    options = Train(
        train_manifest=folder / "train.jsonl",
        val_manifest=folder / "val.jsonl",
        output_dir=folder / "run",
        model=Model(size=SIZE, channels=(8, 16), features=32, hidden=32, dropout=0.0, norm="group"),
        losses=Losses(edges=(4, 8), bands=(1.0, 1.0, 1.0), delta=(0.1, 0.1)),
        data=Data(batch_size=4),
        optimization=Optimizer(learning_rate=8e-3),
        training=Training(
            epochs=12,
            schedule="anneal",
            learning_anneal=1.2,
            max_norm=1.0,
            monitor="val/loss",
            silent=True,
            seed=1,
            device="cpu",
        ),
    )
    control = replace(
        options,
        train_manifest=folder / "train-wrong.jsonl",
        val_manifest=folder / "val-wrong.jsonl",
        output_dir=folder / "control",
    )
    stored = [row.video for row in rows["val"] if row.video is not None]
    shown = folder / "映 像.mp4"
    film.write(shown, clips["val"][0].frames.repeat(2, 1).repeat(2, 2), Fraction(RATE, HOP), quality=8)
    return Example(
        train=options,
        control=control,
        learned=0.42,
        requests=(Request(shown), *(Request(path) for path in stored[1:4])),
        words=("export-mels", "{model}", str(shown), "--format", "json"),
    )


def _clip(name: str, random: np.random.Generator) -> Clip:
    """A bar that moves up and down, and a tone of its height."""
    knots = random.uniform(0.1, 0.9, 4)
    height = np.interp(np.arange(_FRAMES), np.linspace(0, _FRAMES - 1, 4), knots)
    frames = np.zeros((_FRAMES, SIZE, SIZE), np.uint8)
    for number, at in enumerate(height):
        rows = np.abs(np.arange(SIZE) - at * SIZE)
        frames[number] = (255 * np.clip(1.5 - rows, 0, 1))[:, None]
    sound = _sung(height)
    return Clip(name, frames, sound, Analysis(MEL)(sound), speaker=f"s{int(random.integers(3))}")


def _sung(height: NDArray[np.float64]) -> NDArray[np.float32]:
    moments = (np.arange(len(height) * HOP) + 0.5) / HOP - 0.5
    pitch = 300 + 1400 * np.interp(moments, np.arange(len(height)), height)
    sound = 0.3 * np.sin(2 * np.pi * np.cumsum(pitch) / RATE)
    return sound.astype(np.float32)
