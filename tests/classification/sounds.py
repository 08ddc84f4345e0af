"""Small corpora, recipes, encoders and commands, for the tests of classification."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from onsei.audio import io
from onsei.data import manifest
from onsei.data.manifest import Manifest
from onsei.systems.classification.data.example import RATE
from tests import commands

SHARED = Path(__file__).parents[3] / "shared" / "data"
RECIPE = """\
features: {sample_rate: 8000, seconds: 0.6, n_mels: 16}
model: {channels: [4, 8], strides: [2, 2]}
data: {batch_size: 6}
training: {epochs: 1, device: cpu, seed: 1, silent: true, estimate_memory: false}
"""
"""A network that trains in a blink."""


def rows(corpus, count=9, name="train"):
    """The first rows of a manifest of the corpus; they hold every class."""
    opened = Manifest.open(corpus / f"{name}.jsonl")
    return [opened[n] for n in range(count)]


def write(folder, chosen, name="train.jsonl"):
    manifest.write(folder / name, chosen)
    return folder / name


def labeled(chosen, labels):
    return [replace(row, label=label) for row, label in zip(chosen, labels, strict=True)]


def save(path, samples, rate=RATE):
    io.save(path, np.asarray(samples, np.float32), rate)
    return path


def command(capsys, *words):
    """Run ``onsei classification`` in this process."""
    return commands.command(capsys, "classification", *words)


def train(capsys, recipe, manifest_path, run, *words):
    return command(capsys, "train", recipe, "--train-manifest", manifest_path, "--output-dir", run, *words)


def sounds_at(corpus, rate, seconds, count=5):
    """The first samples of validation sounds of several lengths, at another rate."""
    return [io.load(row.audio, rate)[0][: round(seconds * rate)] for row in rows(corpus, count, "val")]
