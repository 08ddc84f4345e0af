"""A tiny corpus of tones with noise: it shows in seconds whether a vocoder learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onsei.audio import io
from onsei.data import manifest
from onsei.data.row import Row
from onsei.system import Example
from onsei.systems.vocoder.config import Critics, Data, Losses, Network, Optimizer, Request, Train
from onsei.training.options import Training
from onsei.vocoder.definition import MelDefinition
from onsei.vocoder.shapes import HeadShape

RATE = 8000
MEL = MelDefinition(sample_rate=RATE, n_fft=256, hop_length=64, win_length=256, n_mels=32, f_max=None, floor=1e-3)
_NOTE, _NOTES = 0.1, 4
"""Seconds of a note, and how many make a sound."""


def example(folder: Path) -> Example:
    """Write the corpus into ``folder``; training on it takes seconds on one core. The control learns from mels of other
    recordings.
    """
    random = np.random.default_rng(0)
    rows = [_write(folder, f"train-{n}", random) for n in range(24)]
    held = [_write(folder, f"val-{n}", random) for n in range(6)]
    manifest.write(folder / "train.jsonl", rows)
    manifest.write(folder / "val.jsonl", held)
    for name, part in (("train", rows), ("val", held)):
        wrong = [replace(row, features=part[(n + 1) % len(part)].features) for n, row in enumerate(part)]
        manifest.write(folder / f"{name}-wrong.jsonl", wrong)
    options = Train(
        train_manifest=folder / "train.jsonl",
        val_manifest=folder / "val.jsonl",
        output_dir=folder / "run",
        mel=MEL,
        network=Network(
            kind="istft", head=HeadShape(channels=32, layers=2, fine_channels=32, fine_layers=1, upsample=1)
        ),
        critics=Critics(mpd_width=0.01, msd_width=0.01),
        losses=Losses(critics_from=4),
        data=Data(batch_size=6, segment_size=512, num_workers=0),
        optimization=Optimizer(learning_rate=4e-3),
        training=Training(epochs=8, max_norm=50.0, silent=True, seed=1, device="cpu", validate_steps=16),
    )
    control = replace(
        options,
        train_manifest=folder / "train-wrong.jsonl",
        val_manifest=folder / "val-wrong.jsonl",
        output_dir=folder / "control",
        fine_tuning=True,
        data=replace(options.data, compare=False),
    )
    sounds = [row.audio for row in held if row.audio is not None]
    mels = [Path(row.features) for row in held if row.features is not None]
    return Example(
        train=options,
        control=control,
        learned=0.48,
        requests=(*(Request(mel) for mel in mels[:3]), *(Request(sound) for sound in sounds[:2])),
        words=("vocode", "{model}", str(mels[0]), "--format", "json"),
    )


def _write(folder: Path, name: str, random: np.random.Generator) -> Row:
    path, mel = folder / "音 声" / f"{name}.wav", folder / "音 声" / f"{name}.npy"
    samples = _sound(random)
    io.save(path, samples, RATE)
    np.save(mel, _mel(samples))
    return Row(id=name, audio=path, duration=len(samples) / RATE, features=str(mel))


def _sound(random: np.random.Generator) -> NDArray[np.float32]:
    """Notes and pauses in an order of chance, some overtones, a little noise."""
    time = np.arange(int(_NOTE * RATE)) / RATE
    notes = []
    for _ in range(_NOTES):
        pitch, loud = random.uniform(150, 900), 0.2 * (random.random() < 0.5)
        notes.append(loud * sum(np.sin(2 * np.pi * k * pitch * time) / k for k in range(1, 4)))
    sound = np.concatenate(notes)
    return (sound + 0.003 * random.standard_normal(len(sound))).astype(np.float32)


def _mel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    import torch

    from onsei.vocoder.mel import LogMel, prepared

    mel: NDArray[np.float32] = LogMel(MEL)(prepared(torch.from_numpy(samples), MEL)[None])[0].numpy()
    return mel
