"""Small manifests of the tone corpus, recipes and commands, for the tests of recognition."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from onsei.audio import io
from onsei.data import manifest
from onsei.data.manifest import Manifest
from onsei.systems.recognition.data.example import RATE
from tests import commands

SHARED = Path(__file__).parents[3] / "shared" / "data"
RECIPE = """\
case: keep
features: {{sample_rate: 8000}}
model: {{hidden_size: 8, hidden_layers: 1, conv_channels: 2}}
data: {{batch_size: 2, num_workers: 0, sortagrad: false}}
training: {{epochs: 1, device: cpu, seed: 1, silent: true, estimate_memory: false}}
labels_path: {labels}
"""
"""A small network on the corpus's labels."""
UNLABELED = "".join(line + "\n" for line in RECIPE.format(labels="").splitlines() if not line.startswith("labels_path"))
"""The same without labels."""


def rows(corpus, count=4, name="train"):
    """The first rows of a manifest of the tone corpus."""
    opened = Manifest.open(corpus / f"{name}.jsonl")
    return [opened[n] for n in range(count)]


def write(folder, chosen, name="train.jsonl"):
    manifest.write(folder / name, chosen)
    return folder / name


def write_recipe(corpus, folder, name="mine.yaml"):
    """The recipe of a network that trains in a blink."""
    path = folder / name
    path.write_text(RECIPE.format(labels=json.dumps(str(corpus / "labels.json"))), encoding="utf-8")
    return path


def steps(run):
    """The losses of a run's steps and validations, in order, without times."""
    wanted = ("step", "train/", "val/", "grad_norm/")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines
    return [{k: v for k, v in line.items() if k.startswith(wanted)} for line in lines]


def sound(path):
    return io.load(path)[0]


def tones(seconds=1.0, rate=RATE):
    return (0.3 * np.sin(2 * np.pi * 600 * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def _truncated(path):
    io.save(path, tones(), RATE)
    path.write_bytes(path.read_bytes()[:5000])


def _zero_length(path):
    io.save(path, tones(0.1), RATE)
    head = path.read_bytes()[:44]
    path.write_bytes(head[:40] + bytes(4))


def _not_finite(path):
    samples = tones()
    samples[100] = np.nan
    header = b"RIFF" + (36 + 4 * len(samples)).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    form = b"".join(
        n.to_bytes(size, "little") for n, size in ((3, 2), (1, 2), (RATE, 4), (4 * RATE, 4), (4, 2), (32, 2))
    )
    path.write_bytes(header + form + b"data" + (4 * len(samples)).to_bytes(4, "little") + samples.tobytes())


BAD = {
    "missing": lambda path: None,
    "empty": lambda path: path.write_bytes(b""),
    "truncated": _truncated,
    "not-sound": lambda path: path.write_text("this is a letter, not a sound\n" * 50, encoding="utf-8"),
    "zero-length": _zero_length,
    "not-finite": _not_finite,
}
"""Ways in which a sound file is bad, each a function that makes one."""


def write_bad(folder, kind):
    folder.mkdir(parents=True, exist_ok=True)
    BAD[kind](folder / f"{kind}.wav")
    return folder / f"{kind}.wav"


def command(capsys, *words):
    """Run ``onsei recognition`` in this process."""
    return commands.command(capsys, "recognition", *words)


def train(capsys, recipe, manifest_path, run, *words):
    """Run ``onsei recognition train``."""
    return command(capsys, "train", recipe, "--train-manifest", manifest_path, "--output-dir", run, *words)
