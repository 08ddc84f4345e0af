"""One corpus of notes and one trained model for all tests of the vocoder system."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import onsei
from onsei.audio import io
from onsei.systems.vocoder.config import Critics, Data, Network, Train
from onsei.systems.vocoder.data.example import MEL, RATE, example
from onsei.systems.vocoder.training import train as train_model
from onsei.training.options import Training
from onsei.vocoder.mel import LogMel, prepared
from onsei.vocoder.shapes import GeneratorShape

TINY = GeneratorShape(
    resblock="2", upsample_initial_channel=16, resblock_kernel_sizes=(3,), resblock_dilation_sizes=((1, 2),)
)
NARROW = Critics(mpd_width=0.01, msd_width=0.01)


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The example of the system, for its options."""
    return example(tmp_path_factory.mktemp("notes"))


@pytest.fixture(scope="session")
def model(made, tmp_path_factory):
    """A model folder that has hardly learned."""
    folder = tmp_path_factory.mktemp("model") / "run"
    clock = replace(made.train.training, max_steps=3, validate_steps=1, keep=3, estimate_memory=False)
    train_model(replace(made.train, output_dir=folder, training=clock))
    return folder


@pytest.fixture(scope="session")
def runner(model):
    return onsei.load(model, device="cpu")


@pytest.fixture
def wavs(tmp_path):
    """A folder of sounds of several lengths, `a` to `d`, and beside it `mels` with the mels of each."""
    write_pairs(tmp_path, {"a": 3000, "b": 1200, "c": 2049, "d": 2600})
    return tmp_path / "wavs"


def write_pairs(folder, lengths):
    random = np.random.default_rng(1)
    (folder / "mels").mkdir()
    for name, length in lengths.items():
        sound = (0.1 * random.standard_normal(length)).astype(np.float32)
        io.save(folder / "wavs" / f"{name}.wav", sound, RATE)
        heard, _ = io.load(folder / "wavs" / f"{name}.wav", RATE)
        np.save(folder / "mels" / f"{name}.npy", mel_of(heard))


def mel_of(sound, definition=MEL):
    return LogMel(definition)(prepared(torch.from_numpy(sound), definition)[None])[0].numpy()


def options(folder, **given):
    """Quick options of training."""
    clock = Training(max_steps=2, silent=True, seed=1, device="cpu", estimate_memory=False)
    data = Data(batch_size=2, segment_size=512, num_workers=0)
    base = Train(output_dir=folder, mel=MEL, network=Network(generator=TINY), critics=NARROW, data=data, training=clock)
    return replace(base, **given)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ONSEI_CACHE", str(tmp_path / "cache"))
