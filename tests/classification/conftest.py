"""One corpus of three kinds of sound and one trained model for all tests of classification."""

from dataclasses import replace

import pytest

import onsei
from onsei.systems.classification.data.example import example
from onsei.systems.classification.training import train as train_model
from tests.classification.sounds import RECIPE


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The example of the system, for its options."""
    return example(tmp_path_factory.mktemp("kinds"))


@pytest.fixture(scope="session")
def corpus(made):
    """The folder of train.jsonl, val.jsonl and the sounds."""
    return made.train.train_manifest.parent


@pytest.fixture(scope="session")
def model(made, tmp_path_factory):
    """A model folder that has learned the corpus."""
    folder = tmp_path_factory.mktemp("model") / "run"
    clock = replace(made.train.training, epochs=4, estimate_memory=False)
    train_model(replace(made.train, output_dir=folder, val_manifest=None, training=clock))
    return folder


@pytest.fixture(scope="session")
def runner(model):
    return onsei.load(model, device="cpu")


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ONSEI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
