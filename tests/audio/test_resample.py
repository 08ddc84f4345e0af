"""Change of sample rate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onsei.audio.resample import resample, resample_blocks, resampled_length
from onsei.errors import AudioError
from tests.audio.sounds import hiss, tone

RATES = st.sampled_from([8000, 11025, 16000, 22050, 44100, 48000, 96000])


def test_equal_rates_give_the_same_samples() -> None:
    sound = hiss(0.1)
    assert resample(sound, 16000, 16000) is sound


@pytest.mark.parametrize(("source", "target"), [(8000, 16000), (44100, 16000), (16000, 8000), (96000, 16000)])
def test_a_tone_stays_the_same_tone(source: int, target: int) -> None:
    found = resample(tone(1.0, source, 1000.0), source, target)
    expected = tone(1.0, target, 1000.0)
    inner = slice(target // 20, -target // 20)
    assert np.abs(found[inner] - expected[inner]).max() < 1e-3


def test_what_the_new_rate_cannot_hold_is_filtered_out() -> None:
    found = resample(tone(1.0, 48000, 7000.0), 48000, 8000)
    assert np.abs(found[400:-400]).max() < 1e-3


@given(frames=st.integers(1, 5000), source=RATES, target=RATES)
def test_the_length_is_known_beforehand(frames: int, source: int, target: int) -> None:
    assert resample(np.zeros(frames, np.float32), source, target).shape == (resampled_length(frames, source, target),)


@given(cuts=st.lists(st.integers(1, 20000), max_size=5), source=RATES, target=RATES)
def test_blocks_give_what_the_whole_gives(cuts: list[int], source: int, target: int) -> None:
    sound = hiss(1.0, 20000)
    blocks = np.split(sound, sorted(cuts))
    found = np.concatenate(list(resample_blocks(blocks, source, target)))
    np.testing.assert_allclose(found, resample(sound, source, target), atol=1e-6)


def test_leading_dimensions_are_kept() -> None:
    sound = hiss(0.6).reshape(2, 3, 1600)
    found = resample(sound, 16000, 8000)
    assert found.shape == (2, 3, 800)
    np.testing.assert_allclose(found[1, 2], resample(sound[1, 2], 16000, 8000), atol=1e-6)


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(AudioError, match="sample rate"):
        resample(hiss(0.1), rate, 16000)
    with pytest.raises(AudioError, match="sample rate"):
        list(resample_blocks([hiss(0.1)], 16000, rate))


@pytest.mark.parametrize("sound", [np.zeros(5, np.int16), np.zeros(0), np.float32(1), np.array([0.0, np.inf])])
def test_samples_that_are_no_sound_are_refused(sound: np.ndarray) -> None:
    with pytest.raises(AudioError):
        resample(sound, 16000, 8000)
