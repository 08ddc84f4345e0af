"""Our generator, discriminators and mel give what the original HiFi-GAN gives, whose state dict is loaded unchanged."""

import json
from pathlib import Path

import pytest
import torch

from onsei.config import from_dict
from onsei.hub import weights
from onsei.vocoder.discriminators import MultiPeriod, MultiScale
from onsei.vocoder.generator import Generator, GeneratorShape
from onsei.vocoder.mel import LogMel, MelDefinition
from onsei.vocoder.weightnorm import classic, fill, fused

GOLDEN = Path(__file__).parents[3] / "shared" / "golden" / "hifigan_tiny.safetensors"
pytestmark = pytest.mark.skipif(not GOLDEN.exists(), reason="golden tensors are not on this machine")
LAYOUTS = {"g and v": dict, "fused": fused}
MELS = {
    "22050_80": MelDefinition(),
    "11413_64": MelDefinition(sample_rate=11413, n_fft=2048, hop_length=420, win_length=2048, n_mels=64, f_max=None),
}


@pytest.fixture(scope="module")
def golden():
    return weights.load(GOLDEN), json.loads(GOLDEN.with_suffix(".json").read_text())


def parts(golden, name):
    tensors, notes = golden
    prefix = f"{name}/generator/"
    state = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    config = {key.rpartition("/")[2]: value for key, value in notes.items() if key.startswith(f"{name}/config/")}
    return state, config


def build(config, normed):
    rates = config["upsample_rates"]
    hop = int(torch.tensor(rates).prod())
    mel = MelDefinition(n_mels=config.pop("num_mels"), hop_length=hop)
    return Generator(from_dict(GeneratorShape, config), mel, normed=normed)


@pytest.mark.parametrize("name", ["resblock1", "resblock2"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("normed", [True, False])
def test_sound_equals_the_original(golden, name, layout, normed):
    state, config = parts(golden, name)
    network = build(config, normed)
    fill(network, LAYOUTS[layout](state))
    want = golden[0][f"{name}/audio"][:, 0]
    for _ in range(2):
        with torch.no_grad():
            torch.testing.assert_close(network(golden[0][f"{name}/mel"]), want, atol=1e-5, rtol=0)
        network.fuse()


def test_written_state_has_the_original_layout(golden):
    state, config = parts(golden, "resblock1")
    network = build(config, True)
    fill(network, state)
    written = classic(network.state_dict())
    assert {name: value.shape for name, value in written.items()} == {k: v.shape for k, v in state.items()}
    for name, value in state.items():
        torch.testing.assert_close(written[name], value)


@pytest.mark.parametrize(("name", "network"), [("mpd", MultiPeriod), ("msd", MultiScale)])
def test_discriminators_have_the_original_weights(golden, name, network):
    found = [f"{key} {tuple(value.shape)}" for key, value in classic(network().state_dict()).items()]
    assert sorted(found) == sorted(golden[1][f"discriminator_keys/{name}"])


@pytest.mark.parametrize("name", MELS)
def test_mel_equals_the_original(golden, name):
    found = LogMel(MELS[name])(golden[0][f"logmel_{name}/wave"])
    torch.testing.assert_close(found, golden[0][f"logmel_{name}/mel"], atol=1e-5, rtol=0)
