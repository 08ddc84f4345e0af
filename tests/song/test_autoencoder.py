"""The codec: pieces of any size give what the whole gives, and so does a stream."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.errors import ConfigError
from onsei.systems.song.config import Codec
from onsei.systems.song.model.autoencoder import Autoencoder, SoundStream

CODECS = {
    "mono": Codec(sample_rate=800, audio_channels=1, channels=4, c_mults=(1, 2), strides=(2, 4)),
    "stereo": Codec(sample_rate=800, audio_channels=2, channels=4, c_mults=(1, 2, 2), strides=(2, 4, 4)),
    "wide": Codec(sample_rate=800, audio_channels=1, channels=6, c_mults=(1, 1), strides=(6, 10)),
}


@pytest.fixture(scope="module")
def autoencoders():
    torch.manual_seed(0)
    return {name: Autoencoder(codec, 3).eval().requires_grad_(False) for name, codec in CODECS.items()}


@pytest.mark.parametrize("name", CODECS)
@given(frames=st.integers(1, 80), piece=st.integers(1, 40), seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_decoding_in_pieces_is_decoding_the_whole(autoencoders, name, frames, piece, seed):
    autoencoder = autoencoders[name]
    latents = torch.randn(2, 3, frames, generator=torch.Generator().manual_seed(seed))
    whole = autoencoder.decoder(latents)
    assert whole.shape == (2, CODECS[name].audio_channels, frames * CODECS[name].hop)
    torch.testing.assert_close(autoencoder.decode(latents, piece), whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", CODECS)
@given(samples=st.integers(1, 1500), piece=st.integers(1, 30), seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_encoding_in_pieces_is_encoding_the_whole(autoencoders, name, samples, piece, seed):
    autoencoder, hop = autoencoders[name], CODECS[name].hop
    sound = torch.randn(1, CODECS[name].audio_channels, samples, generator=torch.Generator().manual_seed(seed))
    frames = -(-samples // hop)
    whole = autoencoder.encoder(torch.nn.functional.pad(sound, (0, frames * hop - samples)))
    mean, deviation = autoencoder.encode(sound, piece)
    assert mean.shape == deviation.shape == (1, 3, frames)
    torch.testing.assert_close(mean, whole[:, :3], atol=1e-5, rtol=0)
    assert bool((deviation > 0).all())


@given(counts=st.lists(st.integers(0, 20), min_size=1, max_size=8))
@settings(max_examples=15, deadline=None)
def test_a_stream_sounds_like_the_whole(autoencoders, counts):
    autoencoder = autoencoders["stereo"]
    latents = torch.randn(2, 3, sum(counts), generator=torch.Generator().manual_seed(1))
    stream = SoundStream(autoencoder)
    parts = [stream.push(part) for part in latents.split(counts, -1)]
    heard = torch.cat([*parts, stream.finish()], -1)
    whole = autoencoder.decoder(latents) if sum(counts) else latents.new_zeros(2, 2, 0)
    torch.testing.assert_close(heard, whole, atol=1e-5, rtol=0)


def test_a_stream_lags_no_more_than_it_must(autoencoders):
    autoencoder = autoencoders["stereo"]
    stream = SoundStream(autoencoder)
    parts = [stream.push(torch.randn(1, 3, 16)).size(-1) // autoencoder.codec.hop for _ in range(4)]
    assert sum(parts) == 64 - autoencoder.reach_back


def test_a_stream_of_nothing_is_silent(autoencoders):
    assert SoundStream(autoencoders["mono"]).finish().numel() == 0


def test_what_reaches_in_is_no_more_than_counted(autoencoders):
    """A changed frame changes no sound beyond its reach, and a changed sample no frame."""
    for autoencoder in autoencoders.values():
        hop, count, middle = autoencoder.codec.hop, 80, 40
        latents = torch.randn(1, 3, count)
        other = latents.clone()
        other[..., middle] += 1
        changed = (autoencoder.decoder(latents) != autoencoder.decoder(other)).any(1)[0].nonzero()
        assert changed.min() >= (middle - autoencoder.reach_back) * hop
        assert changed.max() < (middle + autoencoder.reach_back + 1) * hop
        sound = torch.randn(1, autoencoder.codec.audio_channels, count * hop)
        other = sound.clone()
        other[..., middle * hop : (middle + 1) * hop] += 1
        changed = (autoencoder.encoder(sound) != autoencoder.encoder(other)).any(1)[0].nonzero()
        assert middle - autoencoder.reach_on <= changed.min()
        assert changed.max() <= middle + autoencoder.reach_on


def test_settled_weights_sound_the_same(autoencoders):
    torch.manual_seed(3)
    autoencoder = Autoencoder(CODECS["mono"], 3).eval()
    latents = torch.randn(1, 3, 20)
    before = autoencoder.decode(latents)
    autoencoder.settle()
    torch.testing.assert_close(autoencoder.decode(latents), before, atol=1e-6, rtol=0)
    assert not [name for name in autoencoder.state_dict() if "weight_g" in name]


def test_odd_strides_are_refused():
    with pytest.raises(ConfigError, match="strides"):
        Autoencoder(Codec(strides=(2, 5), c_mults=(1, 2)), 3)
