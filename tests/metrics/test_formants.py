"""Formants: known resonances are found, Praat finds the same, and what is silent has none."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.audio import io
from onsei.errors import AudioError
from onsei.metrics.formants import FormantErrors, burg, formant_errors, formants

RATE = 11413
CORPUS = Path(__file__).parents[3] / "shared" / "data" / "tract_sim"
JD3 = {"a": (744, 1209, 2491), "i": (260, 2233, 2902), "u": (427, 1290, 2451), "e": (505, 1862, 2653),
       "o": (514, 839, 2410)}  # fmt: skip


def voice(resonances, pitch=110.0, seconds=0.6, rate=RATE):
    """Pulses through resonators of the given Hz (F,) or of a course of them (F, T)."""
    count = round(seconds * rate)
    spectrum = np.zeros(count, np.float32)
    phase = np.cumsum(np.full(count, pitch / rate))
    tracks = np.broadcast_to(np.asarray(resonances, float).reshape(len(resonances), -1), (len(resonances), count))
    for k in range(1, int(rate / 2 / pitch)):
        z = np.exp(2j * np.pi * k * pitch / rate)
        gain = np.ones(count, complex)
        for number, hertz in enumerate(tracks):
            pole = np.exp((-np.pi * (50 + 20 * number) + 2j * np.pi * hertz) / rate)
            gain = gain * (abs(1 - pole) ** 2) / ((1 - pole / z) * (1 - pole.conj() / z))
        spectrum += (gain * np.exp(2j * np.pi * k * phase)).real.astype(np.float32) / k
    return (0.3 * spectrum / np.abs(spectrum).max()).astype(np.float32)


@pytest.mark.parametrize("pitch", [90.0, 120.0, 150.0])
@pytest.mark.parametrize("wanted", [(730, 1100, 2450), (270, 2250, 2950), (330, 1250, 2300), (480, 850, 2450)])
def test_known_resonances_are_found(wanted, pitch):
    sound = voice((*wanted, 3400, 4400), pitch)
    found = np.nanmedian(formants(sound, RATE)[5:-5], axis=0)
    assert np.abs(found - wanted).max() < 0.5 * pitch
    assert np.abs(found / wanted - 1)[1:].max() < 0.04


def test_courses_are_followed():
    time = np.linspace(0, 1, RATE)
    wanted = np.stack([700 - 400 * time, 1200 + 1000 * time, 2500 + 300 * time])
    sound = voice(np.vstack([wanted, np.full((1, RATE), 3600.0)]), 100.0, 1.0)
    found = formants(sound, RATE, count=4, ceiling=4200.0)
    truth = np.stack([700 - 4 * np.arange(101), 1200 + 10 * np.arange(101), 2500 + 3 * np.arange(101)], axis=1)
    errors = formant_errors(truth[5:-5].astype(float), found[5:-5])
    assert errors.frames > 80
    assert max(errors.medians) < 45


def test_burg_predicts_what_was_made_by_prediction():
    random, order = np.random.default_rng(0), np.array([1.6, -1.1, 0.3, -0.1])
    sound = np.zeros(20000)
    for t, pushed in enumerate(random.normal(size=20000)):
        sound[t] = pushed + sum(a * sound[t - k - 1] for k, a in enumerate(order) if t > k)
    assert np.abs(burg(sound[None, 100:], 4)[0] - order).max() < 0.05
    assert not burg(np.zeros((2, 50)), 4).any()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 6000), st.sampled_from([0.005, 0.01, 420 / RATE]))
def test_there_is_a_frame_for_every_hop_and_order_in_each(samples, hop):
    sound = np.random.default_rng(samples).normal(0, 0.1, samples).astype(np.float32)
    found = formants(sound, RATE, hop=hop)
    assert found.shape == (int(samples / (RATE * hop)) + 1, 3)
    there = found[np.isfinite(found).all(axis=1)]
    assert (np.diff(there, axis=1) > 0).all()
    assert ((there > 0) & (there < 5000)).all()


def test_silence_and_what_is_faint_has_no_formants():
    assert np.isnan(formants(np.zeros(RATE, np.float32), RATE)).all()
    sound = np.concatenate([voice((500, 1500, 2500), seconds=0.5), np.zeros(RATE // 2, np.float32)])
    found = formants(sound, RATE)
    assert np.isfinite(found[5:45]).all()
    assert np.isnan(found[56:]).all()


def test_a_ceiling_above_the_sound_is_refused():
    with pytest.raises(AudioError, match=r"half the rate \(4000 Hz\)"):
        formants(np.zeros(8000, np.float32), 8000)


def test_medians_are_of_all_clips_and_of_voiced_frames_only():
    one, two = np.tile([500.0, 1500.0, 2500.0], (4, 1)), np.tile([510.0, 1480.0, 2500.4], (4, 1))
    two[3] = np.nan
    both = formant_errors(one, two) + formant_errors(one, one + 30, [True, False, False, False])
    assert both.frames == 4
    assert both.medians == (10, 20, 0)
    assert np.isnan(FormantErrors().medians).all()
    assert formant_errors(one, one + 9000).medians == (5000, 5000, 5000)


def clips(count):
    if not CORPUS.is_dir():
        pytest.skip("needs the simulated recordings")
    return sorted(CORPUS.glob("*.flac"))[:count]


def test_praat_finds_the_same():
    parselmouth = pytest.importorskip("parselmouth")
    for path in clips(4):
        sound, rate = io.load(path)
        ours = formants(sound, rate)
        praat = parselmouth.Sound(sound.astype(float), rate).to_formant_burg(0.01, 5, 5000, 0.025, 50)
        theirs = np.array([[praat.get_value_at_time(k, 0.01 * i) for k in (1, 2, 3)] for i in range(len(ours))])
        errors = formant_errors(theirs, ours)
        assert errors.frames > 200
        assert np.less(errors.medians, (4, 8, 15)).all()


def test_vowels_of_a_simulated_speaker_are_where_praat_puts_them():
    found = {vowel: [] for vowel in JD3}
    for path in clips(17):
        sound, rate = io.load(path)
        course = formants(sound, rate)
        for begin, end, vowel in json.loads(path.with_suffix(".json").read_text())["labels"]:
            middle = slice(round(100 * (0.65 * begin + 0.35 * end)), round(100 * (0.25 * begin + 0.75 * end)))
            found[vowel].append(np.nanmedian(course[middle], axis=0))
    for vowel, wanted in JD3.items():
        assert np.abs(np.median(found[vowel], axis=0) / wanted - 1).max() < 0.04, vowel
