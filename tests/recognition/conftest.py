"""One corpus of tones and one trained model for all tests of recognition."""

from dataclasses import replace

import pytest

import onsei
from onsei.systems.recognition.data.example import example
from onsei.systems.recognition.training import train as train_model
from tests.recognition.corpus import UNLABELED, write_recipe


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The example of the system, for its options."""
    return example(tmp_path_factory.mktemp("tones"))


@pytest.fixture(scope="session")
def corpus(made):
    """The folder of train.jsonl, val.jsonl, labels.json and the sounds."""
    return made.train.train_manifest.parent


@pytest.fixture(scope="session")
def model(made, tmp_path_factory):
    """A model folder that has learned most of the corpus."""
    folder = tmp_path_factory.mktemp("model") / "run"
    clock = replace(made.train.training, max_steps=50, estimate_memory=False)
    train_model(replace(made.train, output_dir=folder, val_manifest=None, training=clock))
    return folder


@pytest.fixture(scope="session")
def runner(model):
    return onsei.load(model, device="cpu")


@pytest.fixture
def recipe(corpus, tmp_path):
    return write_recipe(corpus, tmp_path)


@pytest.fixture
def unlabeled(tmp_path):
    """A recipe that names no labels."""
    path = tmp_path / "unlabeled.yaml"
    path.write_text(UNLABELED, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ONSEI_CACHE", str(tmp_path / "cache"))
