"""Noise recordings: level and ratio measured, any rate and length, folders with faults."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.audio import augment, io
from onsei.audio.augment.folder import Sounding, told
from onsei.audio.augment.noise import looped
from onsei.audio.samples import Samples
from onsei.errors import AudioError, DataError
from tests.audio.sounds import hiss, tone

RATE = 8000


def draw(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def rms(array: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(array, dtype=np.float64))))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four recordings: shorter and longer than any clip, of other rates, stereo; and what is no recording."""
    io.save(tmp_path / "short.wav", hiss(0.05, rate=RATE), RATE)
    io.save(tmp_path / "deep" / "er" / "other rate.flac", hiss(1.0, rate=22050), 22050)
    io.save(tmp_path / "deep" / "騒音.wav", np.stack([hiss(0.7, rate=48000), 0 * hiss(0.7, rate=48000)]), 48000)
    io.save(tmp_path / "long.ogg", hiss(50.0, rate=RATE), RATE)
    (tmp_path / "README.txt").write_text("noise", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("level", [0.0, 0.1, 0.5, 2.0])
def test_the_level_is_a_ratio_of_amplitudes(level: float) -> None:
    sound, noise = tone(1.0, rate=RATE), 7 * hiss(1.0, rate=RATE)
    added = augment.add(sound, noise, level) - sound
    assert rms(added) == pytest.approx(level * rms(sound), rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("snr", [-6.0, 0.0, 20.0])
def test_a_ratio_in_decibels_is_met(snr: float) -> None:
    sound = tone(1.0, rate=RATE)
    added = augment.add(sound, hiss(1.0, rate=RATE), augment.level_of(snr)) - sound
    assert 20 * np.log10(rms(sound) / rms(added)) == pytest.approx(snr, abs=0.01)


def test_silence_stays_silent_and_silent_noise_adds_nothing() -> None:
    sound, silence = tone(0.1, rate=RATE), np.zeros(800, np.float32)
    assert not augment.add(silence, sound, 1.0).any()
    np.testing.assert_array_equal(augment.add(sound, silence, 1.0), sound)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: augment.add(tone(0.1), tone(0.2), 1.0),
        lambda: augment.add(tone(0.1), tone(0.1), -1.0),
        lambda: augment.add(tone(0.1), np.full(1600, np.nan), 1.0),
        lambda: augment.add(np.zeros(0), np.zeros(0), 1.0),
    ],
)
def test_what_cannot_be_added_is_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(AudioError):
        wrong()


@given(st.integers(1, 50), st.integers(0, 49), st.integers(1, 400))
def test_looping_begins_anew_where_the_noise_ends(size: int, start: int, length: int) -> None:
    start = min(start, size - 1)
    found = looped(np.arange(size, dtype=np.float32), start, length)
    np.testing.assert_array_equal(found, (start + np.arange(length)) % size)


def test_noise_of_any_rate_and_length_is_cut_to_the_sound(folder: Path) -> None:
    noises = augment.NoiseFolder(folder, RATE)
    assert [file.path.name for file in noises.files] == ["other rate.flac", "騒音.wav", "long.ogg", "short.wav"]
    assert not noises.faults
    cuts = []
    for seed in range(40):
        cut = noises.cut(4000, draw(seed))
        assert cut is not None
        assert cut.shape == (4000,)
        assert cut.dtype == np.float32
        assert rms(cut) > 0.01
        cuts.append(cut.tobytes())
    assert len(set(cuts)) == 40
    np.testing.assert_array_equal(noises.cut(99, draw(5)), noises.cut(99, draw(5)))


def test_a_single_recording_may_stand_for_a_folder(folder: Path) -> None:
    cut = augment.NoiseFolder(folder / "short.wav", RATE).cut(1000, draw(1))
    assert cut is not None
    np.testing.assert_array_equal(cut[:400], cut[400:800])  # 0.05 s, again and again


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**63), st.integers(0, 5))
def test_what_an_epoch_hears_fits_into_memory_and_hangs_on_seed_and_epoch_alone(seed: int, epoch: int) -> None:
    noises = _unread()
    pieces = noises.pieces((seed, epoch))
    assert pieces == _unread().pieces((seed, epoch))
    assert len(set(pieces)) == len(pieces)
    assert sum(4 * RATE * noises.files[n].seconds / noises._counts[n] for n, _ in pieces) <= noises.memory
    assert all(0 <= part < noises._counts[number] for number, part in pieces)


def _unread() -> augment.NoiseFolder:
    noises = augment.NoiseFolder.__new__(augment.NoiseFolder)
    files = tuple(Sounding(Path(f"{n}.wav"), float(seconds)) for n, seconds in enumerate((3, 700, 15, 61)))
    counts = [1, 35, 1, 3]
    noises.__setstate__({"rate": RATE, "memory": 4.0 * RATE * 120, "files": files, "faults": (), "_counts": counts})
    return noises


def test_epochs_of_a_large_folder_hear_other_parts_and_keep_no_more(folder: Path) -> None:
    noises = augment.NoiseFolder(folder, RATE, memory=4 * RATE * 22)
    heard = {tuple(noises.pieces((0, epoch))) for epoch in range(20)}
    assert len(heard) > 2
    for epoch in range(6):
        for seed in range(20):
            assert noises.cut(2000, draw(seed), (0, epoch)) is not None
        kept = sum(noise.nbytes for noise in noises._kept.values() if noise is not None)
        assert kept <= 4 * RATE * 26


def test_what_is_kept_does_not_travel_to_workers(folder: Path) -> None:
    noises = augment.NoiseFolder(folder, RATE)
    before = noises.cut(2000, draw(2), (1, 1))
    packed = pickle.dumps(noises)
    assert len(packed) < 5000
    np.testing.assert_array_equal(pickle.loads(packed).cut(2000, draw(2), (1, 1)), before)


def test_unusable_recordings_are_left_out_with_a_word(folder: Path) -> None:
    io.save(folder / "silent.wav", np.zeros(30 * RATE, np.float32), RATE)
    (folder / "broken.wav").write_bytes(b"RIFF")
    (folder / "empty.flac").write_bytes(b"")
    noises = augment.NoiseFolder(folder, RATE)
    assert len(noises.files) == 4
    note = told("noise_dir", folder, noises.faults)
    assert "3 files left out" in note
    for word in ("broken.wav", "empty.flac", "silent.wav: silent"):
        assert word in note


def test_silence_inside_a_recording_is_not_chosen(tmp_path: Path) -> None:
    sound = np.zeros(4 * RATE, np.float32)
    sound[: 2 * RATE] = hiss(2.0, rate=RATE)
    io.save(tmp_path / "half.wav", sound, RATE)
    noises = augment.NoiseFolder(tmp_path, RATE)
    assert all(noises.cut(800, draw(seed)) is not None for seed in range(20))


@pytest.mark.parametrize("content", ["missing", "nothing", "text", "silence"])
def test_a_folder_without_noise_is_refused(content: str, tmp_path: Path) -> None:
    folder = tmp_path / "noises"
    if content != "missing":
        folder.mkdir()
    if content == "text":
        (folder / "a.txt").write_text("a", encoding="utf-8")
    if content == "silence":
        io.save(folder / "a.wav", np.zeros(RATE, np.float32), RATE)
    with pytest.raises(DataError, match="noise_dir"):
        augment.NoiseFolder(folder, RATE)


@pytest.mark.parametrize(("color", "slope"), [("white", 0.0), ("pink", -3.0), ("brown", -6.0)])
def test_noise_of_long_sounds_is_of_its_color_at_its_ratio(color: augment.Color, slope: float) -> None:
    sound = np.stack([tone(4.0), 0.1 * tone(4.0)])
    added = augment.noise(sound, 16000, draw(), snr=(10, 10), color=color) - sound
    assert not np.array_equal(added[0], 10 * added[1])
    for clip, noise in zip(sound, added, strict=True):
        assert 20 * np.log10(rms(clip) / rms(noise)) == pytest.approx(10, abs=0.05)
    power = np.abs(np.fft.rfft(added[0] * np.hanning(64000))) ** 2
    low, high = power[2000:4000].mean(), power[8000:16000].mean()  # two octaves apart
    assert 10 * np.log10(high / low) / 2 == pytest.approx(slope, abs=0.3)
