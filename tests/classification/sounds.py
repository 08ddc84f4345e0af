"""Small corpora, recipes, encoders and commands, for the tests of classification."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from onsei import cli
from onsei.audio import io
from onsei.data import manifest
from onsei.data.manifest import Manifest
from onsei.systems.classification.data.example import RATE

SHARED = Path(__file__).parents[3] / "shared" / "data"
RECIPE = """\
features: {sample_rate: 8000, seconds: 0.6, n_mels: 16}
model: {channels: [4, 8], strides: [2, 2]}
data: {batch_size: 6}
training: {epochs: 1, device: cpu, seed: 1, silent: true, estimate_memory: false}
"""
"""A network that trains in a blink."""


class Answer(NamedTuple):
    """What a command answered."""

    status: int
    out: str
    err: str


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


def facts(run):
    return json.loads((run / "onsei.json").read_text(encoding="utf-8"))


def quarantined(run):
    text = (run / "quarantine.jsonl").read_text(encoding="utf-8")
    return {row["id"]: row["reason"] for row in map(json.loads, text.splitlines())}


def command(capsys, *words):
    """Run ``onsei classification`` in this process."""
    capsys.readouterr()
    try:
        status = cli.main(["classification", *map(str, words)])
    except SystemExit as left:
        status = left.code
    return Answer(status, *capsys.readouterr())


def train(capsys, recipe, manifest_path, run, *words):
    return command(capsys, "train", recipe, "--train-manifest", manifest_path, "--output-dir", run, *words)


def assert_refused(answer, *words):
    """One message on stderr that holds ``words``, status 2, no traceback."""
    assert answer.status == 2, answer
    assert "Traceback" not in answer.err + answer.out
    for word in words:
        assert str(word) in answer.err
    assert answer.err.count("onsei: ") == 1, answer.err


def sounds_at(corpus, rate, seconds, count=5):
    """The first samples of validation sounds of several lengths, at another rate."""
    return [io.load(row.audio, rate)[0][: round(seconds * rate)] for row in rows(corpus, count, "val")]
