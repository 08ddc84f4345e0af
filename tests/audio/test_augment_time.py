"""Changes of time: tempo on samples, SpecAugment's warp, clipping."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.audio import augment
from onsei.audio.samples import Samples
from onsei.errors import AudioError
from tests.audio.sounds import hiss, tone

RATE = 16000


def draw(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def voice(seconds: float, hertz: float, rate: int = RATE) -> Samples:
    """A buzz with harmonics and slow beats, as a held vowel."""
    time = np.arange(round(seconds * rate)) / rate
    buzz = sum(np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 12))
    return (0.1 * buzz * (1 + 0.3 * np.sin(2 * np.pi * 3 * time))).astype(np.float32)


def fundamental(sound: Samples, rate: int = RATE) -> float:
    """F0 in Hz, by the autocorrelation of the middle."""
    middle = sound[len(sound) // 4 : -len(sound) // 4]
    spectrum = np.fft.rfft(middle - middle.mean(), 2 * len(middle))
    match = np.fft.irfft(np.abs(spectrum) ** 2)
    low, high = rate // 400, rate // 60
    peak = low + int(match[low:high].argmax())
    left, top, right = match[peak - 1 : peak + 2]
    return float(rate / (peak + 0.5 * (left - right) / (left - 2 * top + right)))


@pytest.mark.parametrize("hertz", [90.0, 210.0])
@pytest.mark.parametrize("factor", [0.7, 0.85, 1.15, 1.5])
def test_tempo_changes_the_length_and_keeps_the_pitch(hertz: float, factor: float) -> None:
    sound = voice(1.5, hertz)
    found = augment.tempo(sound, RATE, draw(), factors=(factor, factor))
    assert len(found) == round(len(sound) / factor)
    assert fundamental(found) == pytest.approx(fundamental(sound), rel=0.01)
    assert np.square(found).mean() == pytest.approx(np.square(sound).mean(), rel=0.15)
    faster = augment.speed(sound, RATE, draw(), factors=(factor, factor))
    assert fundamental(faster) == pytest.approx(hertz * factor, rel=0.01)


def test_tempo_moves_what_happens_when() -> None:
    sound = np.zeros(2 * RATE, np.float32)
    sound[RATE : RATE + 1600] = tone(0.1)
    for factor in (0.8, 1.25):
        found = augment.tempo(sound, RATE, draw(), factors=(factor, factor))
        heard = np.flatnonzero(np.abs(found) > 0.01)
        assert heard[0] == pytest.approx(RATE / factor, abs=0.03 * RATE)


def test_tempo_1_leaves_every_sample_and_channels_stay_together() -> None:
    sound = hiss(0.3)
    np.testing.assert_array_equal(augment.tempo(sound, RATE, draw(), factors=(1, 1)), sound)
    both = augment.tempo(np.stack([sound, 2 * sound]), RATE, draw(), factors=(1.2, 1.2))
    np.testing.assert_allclose(both[1], 2 * both[0], rtol=1e-5, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9000), st.floats(0.3, 3.0), st.sampled_from([200, 8000, 44100]), st.integers(0, 99))
def test_tempo_gives_any_length_its_share(length: int, factor: float, rate: int, seed: int) -> None:
    sound = draw(seed).standard_normal(length).astype(np.float32)
    found = augment.tempo(sound, rate, draw(), factors=(factor, factor))
    assert found.shape == (max(1, round(length / factor)),)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= np.abs(sound).max() * 1.0001


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 300), st.integers(0, 40), st.integers(0, 10**6))
def test_a_time_warp_keeps_frames_ends_and_order(frames: int, width: int, seed: int) -> None:
    ramp = torch.arange(frames, dtype=torch.float32).expand(3, frames)
    warped = augment.warp_time(ramp, draw(seed), width=width)
    assert warped.shape == ramp.shape
    assert warped[0, 0] == 0
    assert warped[0, -1] == frames - 1
    assert (warped.diff() >= 0).all()
    assert (warped - ramp).abs().max() <= width + 1e-3
    if width == 0 or frames < 2 * width + 2:
        assert torch.equal(warped, ramp)


def test_a_time_warp_moves_one_moment_and_stretches_the_rest_evenly() -> None:
    ramp = torch.arange(200, dtype=torch.float32)[None]
    moved = set()
    for seed in range(200):
        warped = augment.warp_time(ramp, draw(seed), width=5)[0]
        slopes = warped.diff()
        assert len(torch.unique((slopes * 1e3).round())) <= 4  # two slopes, one frame between them, rounding
        by = (ramp[0] - warped)[(ramp[0] - warped).abs().argmax()]
        moved.add(round(float(by)))
        place = int((ramp[0] - warped).abs().argmax())
        assert 0 < place < 199
    assert moved == set(range(-5, 6))


def test_a_time_warp_refuses_a_width_below_0() -> None:
    with pytest.raises(AudioError, match="width"):
        augment.warp_time(torch.ones(3, 30), draw(), width=-1)


def test_a_warp_of_frames_that_lie_together_is_the_same() -> None:
    rows = torch.randn(90, 40, generator=torch.Generator().manual_seed(0))
    for change in (augment.warp_time, augment.stretch_time, augment.warp_frequencies):
        apart, together = change(rows.T.contiguous(), draw(3)), change(rows.T, draw(3))
        torch.testing.assert_close(apart, together)


def test_clipping_cuts_what_passes_full_scale_and_nothing_else() -> None:
    sound = np.array([-2.0, -1.0, 0.3, 1.0001], np.float32)
    np.testing.assert_array_equal(augment.clip(sound), np.array([-1, -1, 0.3, 1], np.float32))
    with pytest.raises(AudioError, match="ceiling"):
        augment.clip(sound, 0)
    loud = augment.gain(0.9 * tone(0.1, amplitude=1.0), RATE, draw(), decibels=(6, 6))
    assert np.abs(loud).max() > 1.5  # a gain keeps it


def test_moments_are_a_stretch_and_then_a_warp_looked_at_once() -> None:
    rows = torch.randn(120, 20, generator=torch.Generator().manual_seed(1)).cumsum(0) / 10
    for seed in range(20):
        once = augment.at(rows.T, augment.moments(120, draw(seed), factors=(0.9, 1.1), width=5))
        generator = draw(seed)
        twice = augment.warp_time(augment.stretch_time(rows.T, generator, factors=(0.9, 1.1)), generator, width=5)
        assert once.shape == twice.shape
        assert float((once - twice).abs().mean()) < 0.02


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 300), st.floats(0.5, 2), st.integers(0, 40), st.integers(0, 10**6))
def test_moments_run_from_the_first_frame_to_the_last(frames: int, factor: float, width: int, seed: int) -> None:
    found = augment.moments(frames, draw(seed), factors=(factor, factor), width=width)
    assert len(found) == max(1, round(frames / factor))
    assert found[0] == 0
    assert (np.diff(found) >= 0).all()
    assert len(found) == 1 or abs(found[-1] - (frames - 1)) < 1e-9
    assert np.abs(found - np.linspace(0, frames - 1, len(found))).max() <= width * max(1, 2 * factor) + 1e-9
