"""MuQ: its frames are counted, its mel is that of complex numbers, its folder is checked."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.errors import OnseiError
from onsei.hub import weights
from onsei.units import muq
from onsei.units.muq.mel import N_FFT, MuQMel

SHAPE = muq.Shape(
    n_mels=16, conv_dim=4, encoder_dim=16, encoder_depth=2, num_attention_heads=2, intermediate_size=8,
    conv_depthwise_kernel_size=3,
)  # fmt: skip


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return muq.MuQ(SHAPE).eval()


@given(samples=st.integers(1, 30_000))
@settings(max_examples=25, deadline=None)
def test_as_many_frames_as_are_told(network, samples):
    found = network(torch.zeros(1, samples))
    assert found.shape[0] == 1
    assert found.shape[2] == 16
    assert found.shape[1] >= network.frames(samples)
    if samples > N_FFT // 2:
        assert found.shape[1] == network.frames(samples)


def test_ten_seconds_and_a_bit(network):
    assert network.frames(240_240) == 251
    assert network.frames(240_000) == 250
    assert network.frame_rate == 25


def test_the_mel_is_that_of_complex_numbers():
    torch.manual_seed(1)
    sound = 0.1 * torch.randn(2, 9000)
    ours = MuQMel(128, 240, 6.0, 18.0)
    spectrum = torch.stft(sound, N_FFT, 240, window=torch.hann_window(N_FFT), return_complex=True)[..., :-1]
    power = ours.filters.T @ spectrum.abs().square()
    torch.testing.assert_close(ours(sound), (10 * power.clamp(min=1e-10).log10() - 6) / 18, atol=1e-4, rtol=0)


def folder(path, **changes):
    config = {
        "n_mels": 16, "hop_length": 240, "conv_dim": 4, "encoder_dim": 16, "encoder_depth": 2,
        "stat": {"melspec_2048_mean": 6.0, "melspec_2048_std": 18.0},
        "w2v2_config": {"num_attention_heads": 2, "intermediate_size": 8, "conv_depthwise_kernel_size": 3},
    }  # fmt: skip
    (path / "config.json").write_text(json.dumps({**config, **changes}))
    state = {f"model.{name}": tensor for name, tensor in muq.MuQ(SHAPE).state_dict().items()}
    weights.save(path / "model.safetensors", {**state, "model.linear.weight": torch.zeros(3)})
    return path


def test_a_folder(tmp_path):
    found = muq.load(folder(tmp_path), "cpu")
    assert found.mel.mean == 6
    assert not found.training


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"encoder_depth": 3}, "does not fit"),
        ({"w2v2_config": None}, "no configuration of MuQ"),
        ({"w2v2_config": {"position_embeddings_type": "relative"}}, "another kind"),
    ],
)
def test_folders_that_do_not_fit(tmp_path, changes, told):
    with pytest.raises(OnseiError, match=told):
        muq.load(folder(tmp_path, **changes), "cpu")


def test_no_folder(tmp_path):
    with pytest.raises(OnseiError, match="no such folder"):
        muq.load(tmp_path / "missing", "cpu")
    folder(tmp_path)
    with pytest.raises(OnseiError, match="device"):
        muq.load(tmp_path, "abacus")
