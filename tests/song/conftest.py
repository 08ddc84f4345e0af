import numpy as np
import pytest

from onsei.audio import io
from onsei.systems.song.data.example import example
from onsei.systems.song.inference import Singer

from . import singers


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return singers.write(tmp_path_factory.mktemp("singer") / "model")


@pytest.fixture(scope="session")
def singer(folder):
    return Singer.load(folder, "cpu")


@pytest.fixture(scope="session")
def voice(tmp_path_factory):
    """A sound of 1.2 seconds."""
    path = tmp_path_factory.mktemp("voice") / "声 a.wav"
    time = np.arange(int(1.2 * 8000)) / 8000
    io.save(path, 0.5 * np.sin(2 * np.pi * 200 * time), 8000)
    return path


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The example's corpus, and options that train on it in seconds."""
    return example(tmp_path_factory.mktemp("corpus"))
