"""Mel definitions: frames, offsets, preparation, and gradients."""

from dataclasses import replace

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.config import from_dict, to_dict
from onsei.errors import AudioError, ConfigError
from onsei.vocoder.mel import LogMel, MelDefinition, aligned, deemphasized, emphasized, placed, prepared

SEED = MelDefinition(sample_rate=11413, n_fft=2048, hop_length=420, win_length=2048, n_mels=64, f_max=None)
SMALL = replace(SEED, n_fft=256, hop_length=60, win_length=200, n_mels=8)
definitions = st.builds(
    lambda hop, padding: replace(SMALL, hop_length=hop, padding=padding),
    st.integers(1, 200),
    st.sampled_from(["hop", "center", "none"]),
)


@settings(max_examples=60, deadline=None)
@given(definitions, st.integers(1, 1200))
def test_frames_are_counted_as_they_come(mel, samples):
    if not mel.frames(samples):
        with pytest.raises(AudioError):
            LogMel(mel)(torch.zeros(1, samples))
        return
    found = LogMel(mel)(torch.randn(2, samples))
    assert found.shape == (2, 8, mel.frames(samples))
    assert found.isfinite().all()
    if mel.padding == "hop":  # also where n_fft - hop is odd
        assert mel.frames(samples) == samples // mel.hop


@settings(max_examples=60, deadline=None)
@given(definitions, st.integers(300, 1200))
def test_each_frame_stands_for_its_hop(mel, samples):
    """A click in the middle of a frame's part of the recording is loudest in that frame."""
    mel = replace(mel, hop_length=max(20, mel.hop))
    part = aligned(torch.arange(samples).float() + 1, mel)
    assert part.shape == (mel.samples(mel.frames(samples)),)
    for frame in range(mel.frames(samples)):
        place = mel.start + frame * mel.hop + mel.hop // 2
        if not mel.n_fft // 2 <= place < samples - mel.n_fft // 2:
            continue
        assert part[frame * mel.hop + mel.hop // 2] == place + 1
        click = torch.zeros(1, samples)
        click[0, place] = 1
        assert LogMel(mel)(click)[0].mean(0).argmax() == frame


def test_definitions_differ_by_half_a_hop():
    assert [replace(SEED, padding=padding).start for padding in ("hop", "center", "none")] == [0, -210, 814]
    frames = [replace(SEED, padding=padding).frames(42000) for padding in ("hop", "center", "none")]
    assert frames == [100, 101, 96]


@given(definitions, st.integers(256, 2000))
def test_sound_goes_back_to_its_place(mel, samples):
    sound = torch.arange(samples).float() + 1
    back = placed(aligned(sound, mel), mel, samples)
    inside = back != 0
    assert back.shape == sound.shape
    assert torch.equal(back[inside], sound[inside])
    assert inside.sum() >= min(samples - max(0, mel.start), (mel.frames(samples) - 1) * mel.hop) - mel.hop


@settings(deadline=None)
@given(st.floats(0, 0.99), st.integers(1, 3000))
def test_emphasis_is_taken_back(factor, samples):
    sound = torch.randn(2, samples, generator=torch.Generator().manual_seed(samples))
    torch.testing.assert_close(deemphasized(emphasized(sound, factor), factor), sound, atol=2e-4, rtol=0)


def test_preparation_brings_to_the_peak_and_leaves_silence():
    sound = torch.tensor([[0.1, -0.2, 0.05], [0.0, 0.0, 0.0]])
    found = prepared(sound, SEED)
    torch.testing.assert_close(found, torch.tensor([[0.475, -0.95, 0.2375], [0.0, 0.0, 0.0]]))
    assert torch.equal(prepared(sound, replace(SEED, peak=None)), sound)


def test_the_articulation_memos_mel_is_a_definition():
    """Power mel in decibels of pre-emphasized sound, as librosa makes it; ln 10 / 20 of it conditions HiFi-GAN."""
    mel = replace(SEED, quantity="power", log="decibel", padding="center", preemphasis=0.97, peak=None, epsilon=0.0)
    sound = np.random.default_rng(1).normal(size=11413).astype(np.float32)
    theirs = librosa.feature.melspectrogram(
        y=librosa.effects.preemphasis(sound, coef=0.97, zi=[0.0]), sr=11413, n_fft=2048, hop_length=420, n_mels=64,
        pad_mode="reflect",
    )  # fmt: skip
    ours = LogMel(mel)(prepared(torch.from_numpy(sound)[None], mel))
    np.testing.assert_allclose(ours[0].numpy(), 10 * np.log10(theirs), atol=1e-3)


@pytest.mark.parametrize("quantity", ["magnitude", "power"])
def test_silence_has_finite_gradients(quantity):
    sound = torch.zeros(1, 4200, requires_grad=True)
    mel = LogMel(replace(SEED, quantity=quantity))(sound)
    mel.sum().backward()
    assert mel.isfinite().all()
    assert sound.grad.isfinite().all()


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"win_length": 4096}, "win_length"),
        ({"hop_length": 2049}, "hop_length"),
        ({"f_max": 6000.0}, "5706.5"),
        ({"f_min": 5800.0}, "f_min"),
        ({"peak": 0.0}, "peak"),
        ({"preemphasis": 1.0}, "preemphasis"),
    ],
)
def test_sizes_that_do_not_fit_are_named(changed, word):
    with pytest.raises(ConfigError, match=word):
        LogMel(replace(SEED, **changed))


def test_definitions_are_options():
    assert from_dict(MelDefinition, to_dict(SEED)) == SEED
    assert SEED.full_band().f_max is None
    assert SEED.seconds(1) == pytest.approx(0.0368, abs=1e-5)
