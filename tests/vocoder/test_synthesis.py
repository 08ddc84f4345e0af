"""Synthesis in chunks, streams and other number formats."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.errors import ConfigError
from onsei.nn.device import has_bfloat16
from onsei.vocoder.generator import V1, V3, Generator
from onsei.vocoder.istft import Head, HeadShape
from onsei.vocoder.mel import MelDefinition
from onsei.vocoder.synthesis import Synthesizer
from onsei.vocoder.weightnorm import fused

MEL = MelDefinition(sample_rate=8000, n_fft=256, hop_length=60, win_length=256, n_mels=8, f_max=3000.0)
VOICES = {
    "v1": lambda mel: Generator(replace(V1, upsample_initial_channel=16), mel),
    "v3": lambda mel: Generator(replace(V3, upsample_initial_channel=16), mel),
    "head": lambda mel: Head(HeadShape(channels=16, layers=2, fine_channels=8, fine_layers=1, upsample=1), mel),
    "fine head": lambda mel: Head(HeadShape(channels=16, layers=1, fine_channels=8, fine_layers=3, upsample=4), mel),
    "drawn head": lambda mel: Head(
        HeadShape(channels=16, layers=1, fine_channels=8, fine_layers=1, upsample=1, rounds=2), mel
    ),
}


def louder(network):
    """Its first weights are so small that an error at the edges would not show."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            scale = 0.2 if parameter.dim() > 1 else 0.5
            parameter.copy_(
                torch.full_like(parameter, 1.5) if "original0" in name else torch.randn_like(parameter) * scale
            )
    return network


@pytest.fixture(params=VOICES)
def voice(request):
    torch.manual_seed(1)
    return louder(VOICES[request.param](MEL))


def test_chunks_make_the_same_sound_as_one_piece(voice):
    mel = torch.randn(2, 8, 61)
    whole = Synthesizer(voice, chunk=0)(mel)
    assert whole.shape == (2, 61 * 60)
    assert whole.std() > 0.01
    for chunk in (1, 7, 64):
        torch.testing.assert_close(Synthesizer(voice, chunk=chunk)(mel), whole, atol=2e-5, rtol=1e-4)


def test_what_is_further_away_than_the_context_is_not_heard(voice):
    around = voice.context
    mel = torch.randn(1, 8, 2 * around + 3)
    other = mel.clone()
    other[..., 0] += 5
    other[..., -1] += 5
    with torch.no_grad():
        same = (voice(mel) - voice(other)).abs()[:, (around + 1) * 60 : (around + 2) * 60]
    assert same.max() < 1e-5


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 40), st.integers(1, 15), st.floats(0, 0.97))
def test_a_stream_is_the_whole(frames, chunk, preemphasis):
    torch.manual_seed(1)
    synthesizer = Synthesizer(louder(VOICES["head"](replace(MEL, preemphasis=preemphasis))), chunk=chunk)
    mel = torch.randn(2, 8, frames)
    pieces = list(synthesizer.stream(mel))
    assert len(pieces) == -(-frames // chunk)
    torch.testing.assert_close(torch.cat(pieces, -1), synthesizer(mel), atol=1e-3, rtol=1e-4)


def test_weights_are_plain_then(voice):
    Synthesizer(voice)
    assert set(fused(voice.state_dict())) == set(voice.state_dict())


def test_bfloat16_is_near_and_taken_where_it_is_fast(voice):
    mel = torch.randn(1, 8, 20)
    whole = Synthesizer(voice)(mel)
    chosen = Synthesizer(voice, dtype=torch.bfloat16)
    assert chosen.dtype == (torch.bfloat16 if has_bfloat16(torch.device("cpu")) else torch.float32)
    with torch.inference_mode():
        rounded = voice.bfloat16()(mel.bfloat16()).float()
    assert (rounded - whole).abs().mean() < 0.1 * whole.abs().mean()


def test_another_mel_is_refused_before_work(voice):
    with pytest.raises(ConfigError):
        Synthesizer(voice)(torch.zeros(1, 9, 5))
    with pytest.raises(ConfigError):
        next(Synthesizer(voice).stream(torch.zeros(1, 8, 0)))
