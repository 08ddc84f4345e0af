"""Spectral features: counted like wav2vec 2.0's frames, the same alone and in a batch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.units.melfront import MelEncoder, put_in, shape
from onsei.units.pretraining import fresh_config
from onsei.units.spectral import FRAMES, HOP, WINDOW, Spectral, _slope
from onsei.units.ssl import fresh


def noise(*sizes):
    return 0.1 * torch.randn(*sizes, generator=torch.Generator().manual_seed(0))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4000))
def test_there_are_as_many_frames_as_wav2vec_2_makes(samples):
    features, frames = Spectral("mfcc", 13, 2)(noise(1, samples))
    assert features.shape == (1, FRAMES.count(samples), 39)
    assert frames.tolist() == [max(1, (samples - WINDOW) // HOP + 1)]


@pytest.mark.parametrize("kind", ["mfcc", "mel"])
def test_a_clip_alone_is_the_clip_in_a_batch(kind):
    spectral, sound = Spectral(kind, 20, 2), noise(2, 16000)
    sound[1, 9000:] = 0
    together, frames = spectral(sound, torch.tensor([16000, 9000]))
    alone, _ = spectral(sound[1:, :9000])
    assert torch.allclose(together[1, : frames[1]], alone[0], atol=1e-4)
    assert not together[1, frames[1] :].any()


def test_features_have_mean_0_and_deviation_1():
    features, _ = Spectral()(noise(1, 32000))
    assert features.mean(1).abs().max() < 1e-4
    assert (features.std(1, unbiased=False) - 1).abs().max() < 1e-3


def test_silence_gives_zeros():
    assert not Spectral()(torch.zeros(1, 8000))[0].any()


def test_loudness_does_not_show():
    sound = noise(1, 16000)
    quiet, loud = Spectral()(0.1 * sound)[0], Spectral()(sound)[0]
    assert (quiet - loud).abs().max() < 0.05


def test_slopes_are_the_regression_over_five_frames():
    x = torch.tensor([1.0, 4.0, 2.0, 8.0, 5.0, 7.0])
    found = _slope(x[None, :, None], torch.tensor([6]))[0, :, 0]
    ends = torch.cat([x[:1], x[:1], x, x[-1:], x[-1:]])
    wanted = [(ends[t + 3] - ends[t + 1] + 2 * (ends[t + 4] - ends[t])) / 10 for t in range(6)]
    assert found.tolist() == pytest.approx([float(w) for w in wanted])


def test_an_encoder_of_mels_hears_a_clip_alone_as_in_a_batch():
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = shape(fresh_config(**sizes, num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2))
    encoder = MelEncoder(put_in(fresh(config))).eval()
    sound = noise(2, 12000)
    sound[1, 7000:] = 0
    with torch.no_grad():
        together, frames = encoder.hidden(sound, torch.tensor([12000, 7000]))
        alone, _ = encoder.hidden(sound[1:, :7000], torch.tensor([7000]))
    assert torch.allclose(together[1, : frames[1]], alone[0], atol=1e-4)
