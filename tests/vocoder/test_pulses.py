"""Pulses stand at the pitch that a mel shows, and under a mel without harmonics they stay a voice."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from onsei.metrics.pitch import pitch as heard_pitch
from onsei.vocoder.definition import MelDefinition
from onsei.vocoder.mel import LogMel, to_natural
from onsei.vocoder.pulses import STEADY, Pulses, train
from onsei.vocoder.refinement import Refiner, smoothing

MEL = MelDefinition(
    sample_rate=11413, n_fft=1024, hop_length=105, win_length=512, n_mels=64, f_max=None, floor=1e-4, peak=None
)
FRAMES = 110
DEFINITIONS = (
    MEL,
    replace(MEL, quantity="power", log="decibel", epsilon=0.0),
    replace(MEL, log="log10", padding="center", preemphasis=0.9),
    replace(MEL, n_fft=2048, win_length=2048, hop_length=420),
)


def vowel(course, mel=MEL):
    """A voice (T,) whose pitch takes this course in Hz, with two formants and a little breath."""
    samples = FRAMES * 105
    hertz = np.interp(np.arange(samples), np.linspace(0, samples, len(course)), course)
    source = train(hertz, mel.sample_rate) + 0.002 * np.random.default_rng(0).standard_normal(samples)
    for formant, width in ((650, 80), (1200, 100)):
        radius = np.exp(-np.pi * width / mel.sample_rate)
        source = lfilter([1], [1, -2 * radius * np.cos(2 * np.pi * formant / mel.sample_rate), radius**2], source)
    return (0.5 * source / np.abs(source).max()).astype(np.float32)


def mel_of(sound, mel):
    return LogMel(mel)(torch.from_numpy(sound)[None])[0]


def smooth(mel, definition):
    """The mel without its harmonics, as a network predicts it that knows nothing of pitch."""
    return smoothing(definition.n_mels, 4.0) @ mel


@pytest.mark.parametrize("mel", DEFINITIONS, ids=range(len(DEFINITIONS)))
@pytest.mark.parametrize("hertz", [95.0, 140.0, 230.0])
def test_the_pitch_of_a_voice_is_found_in_its_mel(mel, hertz):
    found, depth = Pulses(mel).followed(mel_of(vowel([hertz]), mel))
    assert np.median(found) == pytest.approx(hertz, rel=0.03)
    assert depth > 0.7


def test_a_gliding_pitch_is_followed_without_leaps():
    course = [120.0, 160.0, 120.0]
    found = Pulses(MEL).pitch(mel_of(vowel(course), MEL))
    true = np.interp(np.linspace(0, 2, len(found)), [0, 1, 2], course)
    assert np.abs(found / true - 1)[5:-5].max() < 0.06


@pytest.mark.parametrize("kind", ["smooth", "silent", "noise", "one frame"])
def test_where_no_harmonics_are_the_pitch_is_steady(kind):
    noise = 0.1 * np.random.default_rng(3).standard_normal(FRAMES * 105).astype(np.float32)
    mel = {
        "smooth": smooth(mel_of(vowel([140.0]), MEL), MEL),
        "silent": torch.full((64, 30), float(np.log(MEL.floor))),
        "noise": mel_of(noise, MEL),
        "one frame": smooth(mel_of(vowel([140.0]), MEL), MEL)[:, 50:51],
    }[kind]
    source, depth = Pulses(MEL)(mel)
    assert (Pulses(MEL).pitch(mel) == STEADY).all()
    assert depth == 0
    assert source.shape == (mel.shape[1] * 105,)
    assert source.isfinite().all()


def test_few_bands_have_a_steady_pitch():
    few = replace(MEL, n_mels=8)
    assert (Pulses(few).pitch(mel_of(vowel([200.0]), few)) == STEADY).all()


@pytest.mark.parametrize("mel", DEFINITIONS, ids=range(len(DEFINITIONS)))
def test_a_mel_without_harmonics_becomes_a_voice_with_its_envelope(mel):
    wanted = smooth(mel_of(vowel([140.0]), mel), mel)
    refiner = Refiner(mel, 20)
    source, _ = Pulses(mel)(wanted)
    shaped = refiner.shaped(wanted[None], source[None])
    assert shaped.shape == (1, wanted.shape[1] * mel.hop)
    voiced = heard_pitch(shaped[0].numpy(), mel.sample_rate)
    assert np.nanmedian(voiced) == pytest.approx(STEADY, rel=0.02)
    assert np.isfinite(voiced).mean() > 0.9
    # Its envelope is that of the mel; drawn to the mel itself it has no pitch any more.
    frames = slice(5, -5)
    made = mel_of(shaped[0].numpy(), mel)[:, : wanted.shape[1]]
    apart = to_natural(smooth(made, mel) - smooth(wanted, mel), mel)[:, frames]
    assert apart.abs().mean() < 0.35
    whisper = refiner(wanted[None])[0].numpy()
    assert np.isfinite(heard_pitch(whisper, mel.sample_rate)).mean() < 0.5


def test_a_voice_by_way_of_its_mel_is_nearer_from_pulses_than_from_no_phase():
    sound = vowel([120.0, 150.0, 130.0])
    mel, refiner = mel_of(sound, MEL), Refiner(MEL, 30)
    source, _ = Pulses(MEL)(mel)
    begun = refiner(mel[None], refiner.shaped(mel[None], source[None]))[0]
    bare = refiner(mel[None])[0]
    misses = [float((mel_of(one.numpy(), MEL) - mel).abs().mean()) for one in (begun, bare)]
    assert misses[0] < 0.8 * misses[1]


def test_pulses_have_nothing_above_half_the_rate():
    made = train(np.linspace(300, 900, 8000), 8000)
    assert np.abs(made).max() <= 1 + 1e-9
    steady = np.abs(np.fft.rfft(train(np.full(8000, 500.0), 8000)))
    assert steady[500:4000:500].min() > 100 * np.delete(steady, np.arange(0, 4001, 500)).max()
