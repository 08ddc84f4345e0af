"""Metrics of speech against known sounds and against the libraries that define them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.errors import AudioError, DataError
from onsei.metrics.pitch import PitchErrors, pitch, pitch_errors
from onsei.metrics.speech import multi_resolution_stft, pesq, stoi

RATE = 16000


def voice(hertz, seconds=0.5, rate=RATE):
    """A buzz whose fundamental is ``hertz``, a number or a course over time."""
    time = np.arange(int(seconds * rate)) / rate
    course = np.broadcast_to(hertz(time) if callable(hertz) else hertz, time.shape)
    phase = 2 * np.pi * np.cumsum(course) / rate
    return (0.2 * sum(np.sin(k * phase) / k for k in range(1, 12))).astype(np.float32)


@settings(deadline=None, max_examples=25)
@given(st.floats(80, 400), st.sampled_from([8000, 11413, 16000, 22050]))
def test_the_pitch_of_a_buzz_is_its_fundamental(hertz, rate):
    found = pitch(voice(hertz, rate=rate), rate)
    assert len(found) in (50, 51)
    inner = found[5:-5]
    assert not np.isnan(inner).any()
    assert np.abs(inner / hertz - 1).max() < 0.01


def test_a_glide_is_followed_frame_by_frame():
    found = pitch(voice(lambda t: 120 + 80 * t, 1.0), RATE)
    expected = 120 + 80 * 0.01 * np.arange(len(found))
    assert np.nanmax(np.abs(found - expected)[5:-5]) < 2


def test_noise_silence_and_pauses_have_no_pitch():
    random = np.random.default_rng(0)
    assert np.isnan(pitch(np.zeros(RATE, np.float32), RATE)).all()
    assert np.isnan(pitch(random.standard_normal(RATE).astype(np.float32), RATE)).mean() > 0.9
    both = np.concatenate([voice(200), np.zeros(RATE // 2, np.float32)])
    assert np.isnan(pitch(both, RATE)[60:]).all()


def test_the_pitch_agrees_with_librosa():
    librosa = pytest.importorskip("librosa")
    sound = voice(lambda t: 150 + 30 * np.sin(6 * t), 1.0)
    theirs = librosa.yin(sound, fmin=60, fmax=500, sr=RATE, hop_length=160, frame_length=2048)
    ours = pitch(sound, RATE)
    assert np.nanmax(np.abs(ours[10:-10] - theirs[10 : len(ours) - 10])) < 4


def test_limits_that_do_not_suit_the_rate_are_refused():
    with pytest.raises(AudioError, match="expected 0 < lowest < highest"):
        pitch(voice(200), RATE, lowest=300, highest=200)


def test_pitch_errors_are_those_of_the_formulas_and_add_up():
    nan = np.nan
    reference, found = np.array([100.0, 200, nan, 300, 250]), np.array([110.0, nan, 150, 290, 255, 1])
    errors = pitch_errors(reference, found)
    assert (errors.frames, errors.wrong, errors.voiced) == (5, 2, 3)
    assert errors.rmse == pytest.approx(np.sqrt((100 + 100 + 25) / 3))
    assert errors.voicing_error == 40.0
    assert errors.correlation == pytest.approx(np.corrcoef([100, 300, 250], [110, 290, 255])[0, 1])
    halves = pitch_errors(reference[:2], found[:2]) + pitch_errors(reference[2:], found[2:5])
    assert (halves.rmse, halves.voicing_error) == pytest.approx((errors.rmse, errors.voicing_error))
    assert np.isnan(PitchErrors().rmse)


def test_spectra_differ_by_nothing_and_by_gain():
    sound = voice(180)
    assert multi_resolution_stft(sound, sound).total == 0
    half = multi_resolution_stft(sound, sound / 2)
    assert half.convergence == pytest.approx(0.5, abs=1e-3)
    assert 0 < half.log_magnitude <= np.log(2) + 1e-3


def test_sounds_of_two_lengths_and_too_short_ones_are_refused():
    with pytest.raises(DataError, match="two sounds of one length"):
        multi_resolution_stft(voice(180), voice(180)[1:])
    with pytest.raises(DataError, match="too short"):
        multi_resolution_stft(np.ones(10, np.float32), np.ones(10, np.float32))


def test_intelligibility_falls_with_noise_and_is_unknown_without_speech():
    random = np.random.default_rng(0)
    speech = (voice(150, 1.5) * np.repeat(random.uniform(0, 1, 30), 800)).astype(np.float32)
    noise = random.standard_normal(len(speech)).astype(np.float32)
    values = [stoi(speech, speech + level * noise, RATE) for level in (0.0, 0.05, 0.5)]
    assert values[0] == pytest.approx(1, abs=1e-3)
    assert values[0] > values[1] > values[2]
    assert np.isnan(stoi(speech[:1000], speech[:1000], RATE))
    assert np.isnan(stoi(0 * speech, speech, RATE))


def test_pesq_is_best_for_the_sound_itself():
    pytest.importorskip("pesq")
    random = np.random.default_rng(0)
    speech = (voice(150, 1.5, 22050) * np.repeat(random.uniform(0, 1, 15), 2205)).astype(np.float32)
    noise = 0.05 * random.standard_normal(len(speech)).astype(np.float32)
    assert pesq(speech, speech, 22050) > 4 > pesq(speech, speech + noise, 22050)
