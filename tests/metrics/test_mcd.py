"""Mel-cepstral distortion: of nothing 0, of a known filter what the filter is, of level nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.errors import DataError
from onsei.metrics.mcd import BANDS, Distortion, mel_cepstral_distortion

RATE = 11413


def noise(seconds=1.0, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, round(RATE * seconds)).astype(np.float32)


def tilted(samples, decibels):
    """The sound with a spectrum raised by ``decibels`` · cos(π m) over the mel scale: coefficient 1 alone."""
    mel = np.arange(0, RATE / 2 + 1)
    slaney = np.where(mel < 1000, mel * 3 / 200, 15 + np.log(np.maximum(mel, 1) / 1000) / (np.log(6.4) / 27))
    gain = 10 ** (decibels / 20 * np.cos(np.pi * slaney / slaney[-1]))
    spectrum = np.fft.rfft(samples)
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE)
    return np.fft.irfft(spectrum * np.interp(hertz, mel, gain), len(samples)).astype(np.float32)


def test_a_sound_equals_itself_at_any_level():
    sound = noise()
    assert mel_cepstral_distortion(sound, sound, RATE).mean == 0
    assert mel_cepstral_distortion(sound, 0.25 * sound, RATE).mean < 0.02


@pytest.mark.parametrize("decibels", [2.0, 6.0])
def test_a_change_of_the_spectrum_is_told_in_root_mean_square_decibels(decibels):
    sound = noise(3.0)
    found = mel_cepstral_distortion(sound, tilted(sound, decibels), RATE)
    assert found.mean == pytest.approx(decibels / np.sqrt(2), rel=0.05)


def test_frames_that_are_faint_in_the_reference_do_not_count():
    sound = noise()
    quiet = sound.copy()
    quiet[RATE // 2 :] *= 1e-4
    other = quiet.copy()
    other[RATE // 2 + RATE // 20 :] = noise(seed=1)[RATE // 2 + RATE // 20 :]
    found = mel_cepstral_distortion(quiet, other, RATE)
    assert 90 < found.frames < 120
    assert found.mean < 0.5


def test_unlike_sounds_are_farther_apart_than_like_ones():
    tone = np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE).astype(np.float32)
    near, far = (mel_cepstral_distortion(noise(), other, RATE).mean for other in (noise(seed=1), tone))
    assert near < 4 < far


@settings(max_examples=20, deadline=None)
@given(st.integers(300, 4000), st.integers(300, 4000))
def test_the_longer_sound_is_cut(first, second):
    one, two = noise(first / RATE), noise(second / RATE, 1)
    length = min(len(one), len(two))
    assert mel_cepstral_distortion(one, two, RATE) == mel_cepstral_distortion(one[:length], two[:length], RATE)


def test_clips_add_by_their_frames():
    both = Distortion(1, 4.0) + Distortion(3, 4.0)
    assert (both.frames, both.mean) == (4, 2.0)
    assert np.isnan(Distortion().mean)


@pytest.mark.parametrize(
    ("one", "two", "order", "message"),
    [
        (noise(), noise(), 0, "order of 1 to 39, found 0"),
        (noise(), noise(), BANDS, "found 40"),
        (noise(0.01), noise(), 13, "114 samples has no mel cepstrum"),
        (noise()[None], noise(), 13, r"found shapes \(1, 11413\)"),
    ],
)
def test_what_cannot_be_compared_is_refused(one, two, order, message):
    with pytest.raises(DataError, match=message):
        mel_cepstral_distortion(one, two, RATE, order=order)
