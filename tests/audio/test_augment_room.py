"""Rooms: reverberation time by Schroeder's integration, direct sound in place, recorded responses."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.audio import augment, io
from onsei.audio.augment.room import Response
from onsei.audio.samples import Samples
from onsei.errors import AudioError, DataError
from tests.audio.sounds import hiss, tone

RATE = 16000


def draw(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def decay_time(response: Samples, rate: int = RATE) -> float:
    """RT60 in seconds from the fall between -5 and -25 dB of what is left of the reverberation (Schroeder 1965)."""
    late = response[1:]
    left = np.cumsum(np.square(late[::-1], dtype=np.float64))[::-1]
    level = 10 * np.log10(left / left[0])
    span = (level <= -5) & (level >= -25)
    slope = np.polyfit(np.flatnonzero(span) / rate, level[span], 1)[0]
    return float(-60 / slope)


@pytest.mark.parametrize("rt60", [0.2, 0.4, 0.8])
def test_the_reverberation_falls_by_60_decibels_in_its_time(rt60: float) -> None:
    found = [
        decay_time(augment.impulse_response(RATE, draw(seed), rt60=(rt60, rt60), drr=(-5, -5))) for seed in range(12)
    ]
    assert np.median(found) == pytest.approx(rt60, rel=0.12)
    assert min(found) > 0.6 * rt60
    assert max(found) < 1.5 * rt60


@pytest.mark.parametrize("drr", [-3.0, 0.0, 12.0])
def test_direct_sound_stands_first_at_its_ratio(drr: float) -> None:
    for seed in range(10):
        response = augment.impulse_response(RATE, draw(seed), drr=(drr, drr))
        assert response[0] == 1
        energy = np.square(response[1:], dtype=np.float64).sum()
        assert -10 * np.log10(energy) == pytest.approx(drr, abs=0.01)


def test_rooms_differ_and_early_reflections_are_single() -> None:
    rooms = [augment.impulse_response(RATE, draw(seed), rt60=(0.3, 0.3)) for seed in range(5)]
    assert len({room.tobytes() for room in rooms}) == 5
    for room in rooms:
        assert np.count_nonzero(room[1:160]) < 80  # 10 ms: echoes with silence between them
        assert np.count_nonzero(room[1600:3200]) > 1500


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30000), st.integers(1, 9000), st.integers(0, 99))
def test_convolution_equals_the_direct_sum_scaled_to_the_same_loudness(length: int, taps: int, seed: int) -> None:
    sound = draw(seed).standard_normal(length).astype(np.float32)
    response = (draw(seed + 1).standard_normal(taps) * 0.99 ** np.arange(taps)).astype(np.float32)
    found = augment.convolve(sound, Response(response))
    size = length + taps
    wanted = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(response, size), size)[:length]
    scale = np.sqrt(np.mean(sound.astype(float) ** 2) / max(np.mean(wanted**2), 1e-30))
    assert found.shape == sound.shape
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted * scale, atol=2e-4 * max(1.0, float(np.abs(wanted * scale).max())))


def test_reverb_keeps_length_loudness_and_the_place_of_the_sound() -> None:
    sound = np.zeros(RATE, np.float32)
    sound[4000:4800] = tone(0.05)
    for seed in range(5):
        wet = augment.reverb(np.stack([sound, sound]), RATE, draw(seed))
        assert wet.shape == (2, RATE)
        assert not np.abs(wet[:, :3999]).max() > 1e-4  # nothing before its cause
        assert np.abs(wet[:, 4000:4100]).max() > 0.05
        assert np.square(wet).mean() == pytest.approx(np.square(sound).mean(), rel=1e-3)
        np.testing.assert_allclose(wet[0], wet[1], atol=1e-6)


def test_rooms_are_drawn_by_number_and_the_same_in_every_process() -> None:
    rooms = augment.Rooms(8000, count=3)
    sound = hiss(0.4, rate=8000)
    heard = [rooms(sound, draw(seed)) for seed in range(12)]
    assert len({wet.tobytes() for wet in heard}) == 3
    packed = pickle.dumps(rooms)
    assert len(packed) < 1000
    other = pickle.loads(packed)
    for seed, wet in enumerate(heard):
        np.testing.assert_array_equal(other(sound, draw(seed)), wet)


def test_recorded_rooms_of_any_rate_keep_the_direct_sound_in_place(tmp_path: Path) -> None:
    response = np.zeros(24000, np.float32)
    response[3000], response[3000 + 4800] = 0.8, 0.2  # direct sound after 62.5 ms, an echo 0.1 s later, at 48 kHz
    io.save(tmp_path / "hall" / "a.wav", np.stack([response, 0 * response]), 48000)
    rooms = augment.RoomFolder(tmp_path, 8000)
    sound = np.zeros(8000, np.float32)
    sound[2000] = 1
    wet = rooms(sound, draw())
    assert int(np.abs(wet).argmax()) == 2000
    assert int(np.abs(wet[2400:]).argmax()) == 400
    assert wet[2800] / wet[2000] == pytest.approx(0.25, abs=0.02)


def test_a_folder_without_rooms_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="rir_dir"):
        augment.RoomFolder(tmp_path, RATE)
    io.save(tmp_path / "a.wav", np.zeros(100, np.float32), RATE)
    with pytest.raises(DataError, match="silent"):
        augment.RoomFolder(tmp_path, RATE)


def test_settings_out_of_range_are_refused() -> None:
    for wrong in ({"rt60": (0.0, 0.1)}, {"rt60": (0.5, 0.1)}, {"drr": (3.0, 0.0)}):
        with pytest.raises(AudioError):
            augment.impulse_response(RATE, draw(), **wrong)
        with pytest.raises(AudioError):
            augment.Rooms(RATE, **wrong)
    for bad in (np.zeros(0, np.float32), np.array([np.nan]), np.zeros(9, np.int16)):
        with pytest.raises(AudioError):
            augment.reverb(bad, RATE, draw())
    assert not augment.reverb(np.zeros(500, np.float32), RATE, draw()).any()
