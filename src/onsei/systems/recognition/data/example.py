"""A tiny corpus whose letters are tones: it shows in seconds whether a recognizer learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onsei.audio import io
from onsei.data import manifest
from onsei.data.row import Row
from onsei.paths import write_text
from onsei.system import Example
from onsei.systems.recognition.config import Data, Features, Model, Optimizer, Request, Train
from onsei.training.options import Training

RATE = 8000
LETTERS = "AEIO"
_TONE, _GAP = 0.12, 0.04
"""Seconds of a letter's tone and of the silence after it; a space is one more tone of silence."""


def example(folder: Path) -> Example:
    """Write the corpus into ``folder``; training on it takes seconds on one core."""
    random = np.random.default_rng(0)
    texts = list(dict.fromkeys(_text(random) for _ in range(240)))
    train, val = texts[30:], texts[:30]
    shuffled = [texts[30:][n] for n in random.permutation(len(train))]
    rows = [_write(folder, f"train-{n}", text, random) for n, text in enumerate(train)]
    held = [_write(folder, f"val-{n}", text, random) for n, text in enumerate(val)]
    manifest.write(folder / "train.jsonl", rows)
    manifest.write(folder / "shuffled.jsonl", [replace(r, text=t) for r, t in zip(rows, shuffled, strict=True)])
    manifest.write(folder / "val.jsonl", held)
    write_text(folder / "labels.json", f'["_", {", ".join(f"{chr(34)}{c}{chr(34)}" for c in LETTERS + " ")}]')
    options = Train(
        train_manifest=folder / "train.jsonl",
        val_manifest=folder / "val.jsonl",
        output_dir=folder / "run",
        labels_path=folder / "labels.json",
        features=Features(sample_rate=RATE),
        model=Model(hidden_size=32, hidden_layers=1, conv_channels=4),
        data=Data(batch_size=12, num_workers=0, sortagrad=False),
        optimization=Optimizer(optimizer="adamw", learning_rate=4e-3),
        training=Training(epochs=6, max_norm=5.0, monitor="val/wer", silent=True, seed=1, device="cpu"),
    )
    control = replace(options, train_manifest=folder / "shuffled.jsonl", output_dir=folder / "control")
    sounds = [row.audio for row in held if row.audio is not None]
    return Example(
        train=options,
        control=control,
        learned=10.0,
        requests=tuple(Request(sound) for sound in sounds[:6]),
        words=("transcribe", "{model}", str(sounds[0]), "--format", "json", "--offsets"),
    )


def _text(random: np.random.Generator) -> str:
    words = ["".join(random.choice(list(LETTERS), random.integers(1, 4))) for _ in range(random.integers(1, 4))]
    return " ".join(words)


def _write(folder: Path, name: str, text: str, random: np.random.Generator) -> Row:
    path = folder / "音 声" / f"{name}.wav"
    samples = _sound(text, random)
    io.save(path, samples, RATE)
    return Row(id=name, audio=path, duration=len(samples) / RATE, text=text)


def _sound(text: str, random: np.random.Generator) -> NDArray[np.float32]:
    time = np.arange(int(_TONE * RATE)) / RATE
    gap = np.zeros(int(_GAP * RATE))
    parts = [gap]
    for letter in text:
        pitch = 400.0 * 1.5 ** LETTERS.find(letter) * random.uniform(0.97, 1.03)
        parts += [np.zeros_like(time) if letter == " " else 0.3 * np.sin(2 * np.pi * pitch * time), gap]
    samples = np.concatenate(parts)
    return (samples + 0.002 * random.standard_normal(len(samples))).astype(np.float32)
