"""Augmentation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from onsei.audio import augment
from onsei.audio.samples import Samples
from onsei.errors import AudioError
from tests.audio.sounds import hiss, tone

RATE = 16000
Change = Callable[[Samples, int, np.random.Generator], Samples]
CHANGES: list[Change] = [augment.speed, augment.gain, augment.shift, augment.noise]


def draw(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def decibels(array: Samples) -> float:
    return 10 * float(np.log10(np.mean(np.square(array, dtype=np.float64))))


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_a_pure_function_of_its_generator(change: Change) -> None:
    sound = tone(0.5)
    before = sound.copy()
    found = change(sound, RATE, draw(1))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, change(sound, RATE, draw(1)))
    np.testing.assert_array_equal(sound, before)
    other = change(sound, RATE, draw(2))
    assert other.shape != found.shape or not np.array_equal(other, found)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("sound", [np.zeros(0, np.float32), np.zeros(9, np.int16), np.array([np.nan])])
def test_what_is_no_sound_is_refused(change: Change, sound: Samples) -> None:
    with pytest.raises(AudioError):
        change(sound, RATE, draw())


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.1])
def test_speed_changes_length_and_pitch(factor: float) -> None:
    found = augment.speed(tone(1.0, hertz=1000.0), RATE, draw(), factors=(factor, factor))
    assert len(found) == pytest.approx(RATE / factor, abs=1)
    spectrum = np.abs(np.fft.rfft(found * np.hanning(len(found))))
    assert spectrum.argmax() * RATE / len(found) == pytest.approx(1000 * factor, abs=2)


def test_gain_is_in_decibels() -> None:
    sound = hiss(0.5)
    found = augment.gain(sound, RATE, draw(), decibels=(-6.0, -6.0))
    assert decibels(found) - decibels(sound) == pytest.approx(-6, abs=1e-3)
    levels = [decibels(augment.gain(sound, RATE, draw(s), decibels=(-6, 8))) - decibels(sound) for s in range(50)]
    assert -6 <= min(levels) < -3
    assert 5 < max(levels) <= 8


@pytest.mark.parametrize(("seconds", "by"), [(0.1, 1600), (-0.1, -1600), (0.0, 0), (9.0, 8000), (-9.0, -8000)])
def test_shift_moves_and_fills_with_silence(seconds: float, by: int) -> None:
    sound = hiss(0.5)
    found = augment.shift(sound, RATE, draw(), seconds=(seconds, seconds))
    assert found.shape == sound.shape
    if by >= 0:
        np.testing.assert_array_equal(found[by:], sound[: len(sound) - by])
        assert not found[:by].any()
    else:
        np.testing.assert_array_equal(found[:by], sound[-by:])
        assert not found[by:].any()


@pytest.mark.parametrize("color", ["white", "pink", "brown"])
@pytest.mark.parametrize("snr", [-5.0, 20.0])
def test_noise_comes_at_the_ratio_asked_for(color: augment.Color, snr: float) -> None:
    sound = np.stack([tone(1.0), 0.01 * tone(1.0)])
    added = augment.noise(sound, RATE, draw(), snr=(snr, snr), color=color) - sound
    for clip, noise in zip(sound, added, strict=True):
        assert decibels(clip) - decibels(noise) == pytest.approx(snr, abs=0.05)


@pytest.mark.parametrize(("color", "slope"), [("white", 0.0), ("pink", -3.0), ("brown", -6.0)])
def test_noise_falls_by_its_color(color: augment.Color, slope: float) -> None:
    sound = tone(8.0, amplitude=1e-3)
    added = augment.noise(sound, RATE, draw(), snr=(-60, -60), color=color) - sound
    power = np.abs(np.fft.rfft(added)) ** 2
    low, high = power[4000:8000].mean(), power[16000:32000].mean()  # two octaves apart
    assert 10 * np.log10(high / low) / 2 == pytest.approx(slope, abs=0.3)


def test_noise_leaves_silence_silent() -> None:
    assert not augment.noise(np.zeros(1000, np.float32), RATE, draw()).any()
    assert np.isfinite(augment.noise(np.ones(1, np.float32), RATE, draw(), color="brown")).all()


def test_masks_cover_whole_bins_or_frames_within_their_width() -> None:
    spectrogram = torch.ones(2, 40, 60)
    seen = set()
    for seed in range(300):
        bins = augment.mask_frequencies(spectrogram, draw(seed), width=5, fill=-1.0)
        hidden = bins[0, :, 0] == -1
        assert torch.equal(bins, torch.where(hidden[None, :, None], -1.0, 1.0).expand(2, 40, 60))
        seen.add(int(hidden.sum()))
        frames = augment.mask_times(spectrogram, draw(seed), width=70, portion=0.2)
        gone = frames[1, 0] == 0
        assert torch.equal(frames, (~gone).float().expand(2, 40, 60))
        assert gone.sum() <= 12
    assert seen == {0, 1, 2, 3, 4, 5}
    assert torch.equal(spectrogram, torch.ones(2, 40, 60))


def test_masks_are_drawn_from_the_generator_and_several_may_be_asked_for() -> None:
    spectrogram = torch.ones(80, 200)
    one = augment.mask_times(spectrogram, draw(3), width=20, count=1)
    ten = augment.mask_times(spectrogram, draw(3), width=20, count=10)
    assert torch.equal(ten, augment.mask_times(spectrogram, draw(3), width=20, count=10))
    assert ten.sum() < one.sum()
    assert torch.equal(augment.mask_times(spectrogram, draw(3), count=0), spectrogram)


def test_masks_wider_than_the_spectrogram_stay_inside() -> None:
    for seed in range(50):
        assert augment.mask_frequencies(torch.ones(3, 2), draw(seed), width=27).shape == (3, 2)
        assert augment.mask_times(torch.ones(3, 1), draw(seed), width=70).shape == (3, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: augment.speed(tone(0.1), RATE, draw(), factors=(0.0, 1.0)),
        lambda: augment.speed(tone(0.1), RATE, draw(), factors=(1.1, 0.9)),
        lambda: augment.gain(tone(0.1), RATE, draw(), decibels=(0.0, float("nan"))),
        lambda: augment.gain(tone(0.1), 0, draw()),
        lambda: augment.shift(tone(0.1), RATE, draw(), seconds=(0.1, -0.1)),
        lambda: augment.noise(tone(0.1), RATE, draw(), color="purple"),  # type: ignore[arg-type]
        lambda: augment.noise(tone(0.1), RATE, draw(), snr=(0.0, float("inf"))),
        lambda: augment.mask_times(torch.ones(3, 3), draw(), width=-1),
        lambda: augment.mask_times(torch.ones(3, 3), draw(), portion=1.5),
        lambda: augment.mask_frequencies(torch.ones(3, 3), draw(), count=-1),
    ],
)
def test_settings_out_of_range_are_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(AudioError):
        wrong()


def test_warping_moves_a_tone_by_the_factor() -> None:
    spectrogram = torch.zeros(100, 3)
    spectrogram[40] = 1
    for factor in (0.8, 1.0, 1.25):
        warped = augment.warp_frequencies(spectrogram, draw(0), factors=(factor, factor))
        assert warped.shape == spectrogram.shape
        assert abs(int(warped[:, 1].argmax()) - 40 / factor) <= 1
    assert torch.equal(augment.warp_frequencies(spectrogram, draw(0), factors=(1.0, 1.0)), spectrogram)
    assert augment.warp_frequencies(torch.ones(1, 2), draw(0)).shape == (1, 2)


def test_tilt_adds_one_smooth_curve_to_every_frame() -> None:
    added = augment.tilt(torch.zeros(60, 4), draw(1), spread=0.5)
    assert torch.equal(added, added[:, :1].expand(60, 4))
    assert added.diff(dim=0).abs().max() < 0.15
    assert added.std() > 0.05
    spreads = torch.stack([augment.tilt(torch.zeros(4, 1), draw(n), spread=0.5) for n in range(400)])
    assert abs(float(spreads.std()) - 0.5) < 0.05


def test_warp_and_tilt_refuse_what_makes_no_sense() -> None:
    with pytest.raises(AudioError, match="factors"):
        augment.warp_frequencies(torch.ones(4, 2), draw(0), factors=(0.0, 1.0))
    with pytest.raises(AudioError, match="tilt"):
        augment.tilt(torch.ones(4, 2), draw(0), spread=-1)


def test_stretching_time_keeps_the_bins_and_moves_the_moment() -> None:
    spectrogram = torch.zeros(3, 100)
    spectrogram[:, 60] = 1
    for factor in (0.5, 1.0, 2.0):
        stretched = augment.stretch_time(spectrogram, draw(0), factors=(factor, factor))
        assert stretched.shape == (3, round(100 / factor))
        assert abs(int(stretched[1].argmax()) - 60 / factor) <= 2
    assert augment.stretch_time(torch.ones(2, 1), draw(0)).shape == (2, 1)
