"""A corpus of tones and models that were trained on it, for all tests of translation's acoustic half."""

from dataclasses import replace

import numpy as np
import pytest

from onsei.audio import io
from onsei.data import manifest
from onsei.data.row import Phone, Row
from onsei.systems.translation.acoustic.training import fit_units
from onsei.systems.translation.config.pretrain import Crops
from onsei.systems.translation.config.units import Features, FitUnits, Units
from onsei.systems.translation.data.example import PITCHES, options_for, sound
from onsei.systems.translation.pretrain.training import pretrain
from onsei.training.options import Training
from onsei.units.spectral import RATE

QUIET = Training(epochs=1, silent=True, device="cpu", threads=1, estimate_memory=False)


def tones(folder, name, count, seed=0, speakers=("s1", "s2")):
    """Clips of four tones, and when each sounds as its phones."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        order, part = random.permutation(len(PITCHES)), int(random.uniform(0.2, 0.4) * RATE)
        pitch = np.repeat(np.array(PITCHES)[order], part)
        samples = 0.3 * np.sin(2 * np.pi * np.cumsum(pitch) / RATE) + 0.01 * random.standard_normal(len(pitch))
        path = folder / f"{name}-{number}.wav"
        io.save(path, samples.astype(np.float32), RATE)
        seconds = part / RATE
        phones = tuple(Phone("abcd"[tone], n * seconds, (n + 1) * seconds) for n, tone in enumerate(order))
        speaker = speakers[number % len(speakers)]
        rows.append(Row(f"{name}-{number}", path, len(samples) / RATE, speaker=speaker, phones=phones))
    manifest.write(folder / f"{name}.jsonl", rows)
    return folder / f"{name}.jsonl"


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tones")
    tones(folder, "train", 24)
    tones(folder, "val", 8, seed=1)
    return folder


@pytest.fixture(scope="session")
def base_model(corpus, tmp_path_factory):
    """A model folder of `pretrain`, contrastive over log-mels, hardly trained."""
    folder = tmp_path_factory.mktemp("base") / "run"
    options = options_for(corpus, "", folder)
    task = replace(options.task, objective="contrastive", num_negatives=5)
    pretrain(replace(options, task=task, training=replace(QUIET, monitor="val/score")))
    return folder


def fitting(corpus, folder, **changes):
    """Options of `fit-units` on cepstra of the corpus."""
    options = FitUnits(
        train_manifest=corpus / "train.jsonl",
        val_manifest=corpus / "val.jsonl",
        output_dir=folder,
        features=Features(kind="mfcc"),
        units=Units(num_clusters=6),
        data=Crops(batch_size=8),
        training=QUIET,
    )
    return replace(options, **changes)


@pytest.fixture(scope="session")
def unit_model(corpus, tmp_path_factory):
    """A model folder of `fit-units`, over cepstra."""
    folder = tmp_path_factory.mktemp("units") / "run"
    fit_units(fitting(corpus, folder))
    return folder


@pytest.fixture(scope="session")
def layer_model(corpus, base_model, tmp_path_factory):
    """A model folder of `fit-units`, over the encoder's last layer."""
    folder = tmp_path_factory.mktemp("layer") / "run"
    fit_units(fitting(corpus, folder, features=Features(), base_model_path=str(base_model)))
    return folder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ONSEI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


__all__ = ["fitting", "sound", "tones"]
