"""Augmentation in training: the original's switches, noise, rooms; reproducible anywhere; faults before training."""

import numpy as np
import pytest
import torch

from onsei.audio import io
from onsei.config import parse_flags
from onsei.data.loader import Draw
from onsei.data.manifest import Manifest
from onsei.errors import ConfigError, DataError
from onsei.systems.recognition.config import Augment, Data, Features, Train
from onsei.systems.recognition.data import Preparation, cache_for, source
from onsei.systems.recognition.data.augmentation import Changes, changed_by, loudness
from onsei.systems.recognition.data.example import RATE
from onsei.text.alphabet import Alphabet
from tests.commands import assert_refused
from tests.recognition.corpus import rows, steps, train, write

FEATURES = Features(sample_rate=RATE)


def hiss(seconds, rate=RATE, seed=0):
    return (0.1 * np.random.default_rng(seed).standard_normal(round(seconds * rate))).astype(np.float32)


def tone(seconds=1.0):
    return (0.2 * np.sin(2 * np.pi * 500 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def rms(array):
    return float(np.sqrt(np.mean(np.square(array, dtype=np.float64))))


@pytest.fixture
def noises(tmp_path):
    folder = tmp_path / "noises"
    io.save(folder / "short.wav", hiss(0.2), RATE)
    io.save(folder / "long" / "other.flac", hiss(4.0, 22050), 22050)
    return folder


@pytest.fixture
def halls(tmp_path):
    response = hiss(0.3) * 0.98 ** np.arange(round(0.3 * RATE), dtype=np.float32)
    response[0] = 0.9
    io.save(tmp_path / "halls" / "a.wav", response, RATE)
    return tmp_path / "halls"


def every_batch(corpus, tmp_path, workers, augment, epoch=1, training=True):
    manifest = Manifest.open(write(tmp_path, rows(corpus, 9)))
    preparation = Preparation(Alphabet(tuple("_AEIO "), "keep"), FEATURES, augment)
    loader = source(manifest, preparation, Data(batch_size=2), seed=5, training=training, workers=workers)
    found = {
        name: features[:, :length]
        for batch in loader.batches(epoch)
        for name, features, length in zip(batch.ids, batch.features, batch.lengths, strict=True)
    }
    loader.close()
    return found


def same(one, other):
    return all(one[n].shape == other[n].shape and torch.equal(one[n], other[n]) for n in one)


def test_every_change_is_the_same_for_0_1_and_2_workers(corpus, tmp_path, noises):
    augment = Augment(
        spec_augment=True,
        speed_volume_perturb=True,
        noise_dir=noises,
        noise_prob=0.7,
        noise_memory=0.06,  # MiB: each epoch hears other parts
        reverb_prob=0.7,
        speed=0.1,
        clip=True,
    )
    alone = every_batch(corpus, tmp_path, 0, augment)
    assert not same(alone, every_batch(corpus, tmp_path, 0, None))
    assert not same(alone, every_batch(corpus, tmp_path, 0, augment, epoch=2))
    for workers in (1, 2):
        assert same(alone, every_batch(corpus, tmp_path, workers, augment))


def test_validation_hears_the_sounds_as_they_are(capsys, corpus, recipe, tmp_path, noises, monkeypatch):
    changed = []
    whole = Changes.sound
    monkeypatch.setattr(Changes, "sound", lambda self, x, draw: changed.append(draw.id) or whole(self, x, draw))
    path, val = write(tmp_path, rows(corpus, 4)), write(tmp_path, rows(corpus, 3, "val"), "val.jsonl")
    words = ("--val-manifest", val, "--noise-dir", noises, "--spec-augment", "--reverb-prob", "1", "--epochs", "2")
    assert train(capsys, recipe, path, tmp_path / "run", *words).status == 0
    assert sorted(changed) == sorted(2 * [row.id for row in rows(corpus, 4)])
    assert same(every_batch(corpus, tmp_path, 0, None, training=False), every_batch(corpus, tmp_path, 0, None))


def test_the_switches_are_the_originals_policies():
    changes = Changes(Augment(spec_augment=True, speed_volume_perturb=True), FEATURES)
    assert (changes.time_warp, changes.freq_masks, changes.time_masks) == (5, 1, 1)
    assert (changes.options.freq_width, changes.options.time_width) == (27, 70)
    assert (changes.tempo, changes.gain) == (0.15, (-6.0, 8.0))
    finer = Changes(Augment(spec_augment=True, speed_volume_perturb=True, freq_masks=3, gain=2, tempo=0.3), FEATURES)
    assert (finer.time_warp, finer.freq_masks, finer.tempo, finer.gain) == (5, 3, 0.3, (-2, 2))
    off = Changes(Augment(), FEATURES)
    assert not any((off.time_warp, off.freq_masks, off.tempo, off.gain, off.noise_prob, off.reverb_prob))
    assert not off.of_sound


def test_gain_of_the_switch_lies_within_its_range():
    changes = Changes(Augment(speed_volume_perturb=True), FEATURES)
    sound = tone()
    levels = [20 * np.log10(rms(changes.sound(sound.copy(), Draw(0, 0, str(n)))) / rms(sound)) for n in range(200)]
    assert -6.01 < min(levels) < -5
    assert 7 < max(levels) < 8.01


def test_a_spectrogram_under_spec_augment_keeps_its_frames_and_loses_a_band_and_a_stretch():
    changes = Changes(Augment(spec_augment=True), FEATURES)
    features = 1 + torch.rand(161, 400, generator=torch.Generator().manual_seed(0))
    bands, spans = set(), set()
    for n in range(60):
        found = changes.features(features.clone(), Draw(0, 1, str(n)))
        assert found.shape == features.shape
        bands.add(int((found == 0).all(1).sum()))
        spans.add(int((found == 0).all(0).sum()))
    assert max(bands) <= 27
    assert max(spans) <= 70
    assert max(bands) > 15
    assert max(spans) > 40


def test_tempo_on_samples_is_heard_and_the_frames_follow():
    on_samples = Changes(Augment(tempo=0.2, tempo_method="samples"), FEATURES)
    assert on_samples.of_sound
    sound = tone(2.0)
    lengths = [len(on_samples.sound(sound, Draw(0, 0, str(n)))) / len(sound) for n in range(30)]
    assert 1 / 1.2 <= min(lengths) < 0.9
    assert 1.1 < max(lengths) <= 1 / 0.8
    features = torch.ones(4, 50)
    assert on_samples.features(features, Draw(0, 0, "a")).shape == features.shape
    assert not Changes(Augment(tempo=0.2), FEATURES).of_sound


def test_noise_is_as_loud_as_asked_and_as_often(noises):
    sound = tone()
    loud = Changes(Augment(noise_dir=noises, noise_prob=1, noise_min=0.3, noise_max=0.3), FEATURES)
    ratio = Changes(Augment(noise_dir=noises, noise_prob=1, noise_snr_min=12, noise_snr_max=12), FEATURES)
    colored = Changes(Augment(noise_prob=1, noise_min=0.3, noise_max=0.3), FEATURES)
    for n in range(8):
        draw = Draw(0, 0, str(n))
        assert rms(loud.sound(sound, draw) - sound) == pytest.approx(0.3 * rms(sound), rel=1e-3)
        assert rms(colored.sound(sound, draw) - sound) == pytest.approx(0.3 * rms(sound), rel=1e-2)
        assert 20 * np.log10(rms(sound) / rms(ratio.sound(sound, draw) - sound)) == pytest.approx(12, abs=0.01)
    usual = Changes(Augment(noise_dir=noises), FEATURES)
    levels = [rms(usual.sound(sound, Draw(0, 0, str(n))) - sound) / rms(sound) for n in range(300)]
    assert 0.3 < np.mean(np.array(levels) > 0) < 0.5
    assert 0.4 < max(levels) <= 0.5001


def test_old_runs_of_colored_noise_keep_their_ratio():
    assert loudness(Augment(noise_prob=0.5)).kind == "snr"
    found = loudness(Augment(noise_prob=0.5, noise_snr_min=0, noise_snr_max=30))
    assert (found.low, found.high) == (0, 30)


def test_recorded_rooms_are_heard_and_keep_the_length(halls):
    changes = Changes(Augment(rir_dir=halls), FEATURES)
    assert changes.reverb_prob == 0.3
    sound = tone(0.5)
    wet = [changes.sound(sound.copy(), Draw(0, 0, str(n))) for n in range(60)]
    assert {len(one) for one in wet} == {len(sound)}
    assert 0.1 < np.mean([not np.array_equal(one, sound) for one in wet]) < 0.5


def test_clipping_is_cut_where_asked_and_kept_where_not():
    loud = 0.9 * tone() / 0.2
    for clip in (False, True):
        changes = Changes(Augment(speed_volume_perturb=True, clip=clip), FEATURES)
        peaks = [float(np.abs(changes.sound(loud.copy(), Draw(0, 0, str(n)))).max()) for n in range(20)]
        assert (max(peaks) > 1) is not clip


@pytest.mark.parametrize("sound", [np.zeros(4000, np.float32), np.zeros(1, np.float32), np.ones(4000, np.float32)])
def test_silence_one_sample_and_full_scale_give_finite_sound(sound, noises):
    augment = Augment(spec_augment=True, speed_volume_perturb=True, noise_dir=noises, noise_prob=1, reverb_prob=1)
    changes = Changes(augment, FEATURES)
    for n in range(5):
        assert np.isfinite(changes.sound(sound.copy(), Draw(0, 0, str(n)))).all()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--noise-dir", "{tmp}/none"), ("noise_dir", "no such folder")),
        (("--noise-dir", "{tmp}/empty"), ("noise_dir", "no sound files")),
        (("--noise-dir", "{tmp}/silent"), ("noise_dir", "silent")),
        (("--rir-dir", "{tmp}/empty"), ("rir_dir", "no sound files")),
        (("--noise-prob", "1", "--noise-max", "1", "--noise-snr-min", "3"), ("noise_max", "noise_snr_min", "not both")),
        (("--noise-prob", "1", "--noise-min", "1"), ("noise_min", "noise_max")),
        (("--noise-snr-min", "50"), ("noise_snr_min", "noise_snr_max")),
        (("--rt60-min", "3"), ("rt60_min",)),
        (("--drr-max", "-30"), ("drr_max",)),
        (("--augment.tempo", "1"), ("augment.tempo",)),
    ],
)
def test_wrong_options_are_told_before_training(words, told, capsys, corpus, recipe, tmp_path):
    (tmp_path / "empty").mkdir()
    io.save(tmp_path / "silent" / "a.wav", np.zeros(RATE, np.float32), RATE)
    path = write(tmp_path, rows(corpus, 4))
    words = [word.format(tmp=tmp_path) for word in words]
    assert_refused(train(capsys, recipe, path, tmp_path / "run", *words), *told)
    assert not list((tmp_path / "run").glob("*.safetensors"))


def test_broken_noise_is_left_out_with_a_word_and_training_goes_on(capsys, corpus, recipe, tmp_path, noises):
    (noises / "broken.wav").write_bytes(b"RIFF, not")
    answer = train(capsys, recipe, write(tmp_path, rows(corpus, 4)), tmp_path / "run", "--noise-dir", noises)
    assert answer.status == 0, answer.err
    assert "1 files left out" in answer.out
    assert "broken.wav" in answer.out
    assert len(steps(tmp_path / "run")) == 2


def test_the_cache_names_all_that_changes_the_sound(noises):
    cached = Data(feature_cache=noises / "cache")
    for augment, names in (
        (Augment(trim=0.1, clip=True), ["trim", "clip"]),
        (Augment(noise_dir=noises), ["noise_dir"]),
        (Augment(reverb_prob=0.5), ["reverb_prob"]),
        (Augment(tempo=0.1, tempo_method="samples"), ["tempo_method"]),
        (Augment(speed_volume_perturb=True), ["speed_volume_perturb"]),
    ):
        assert changed_by(augment) == names
        with pytest.raises(DataError, match=f"augment.{names[0]}"):
            cache_for(FEATURES, cached, augment)
    for augment in (Augment(spec_augment=True, tempo=0.1, warp=0.1), Augment(noise_dir=noises, noise_prob=0), None):
        assert cache_for(FEATURES, cached, augment) is not None


def test_stored_features_refuse_a_cache_and_changes_of_sound(noises):
    stored = Features(kind="precomputed")
    with pytest.raises(ConfigError, match="feature_cache"):
        cache_for(stored, Data(feature_cache=noises / "cache"), None)
    with pytest.raises(ConfigError, match=r"augment\.noise_dir"):
        Changes(Augment(noise_dir=noises), stored)
    Changes(Augment(spec_augment=True, tempo=0.1, tilt=0.1), stored)


def test_the_original_flags_are_read():
    words = "--train-manifest t --output-dir o --spec-augment --speed-volume-perturb --noise-dir n --noise_prob 0.3"
    found = parse_flags(Train, [*words.split(), "--noise-min", "0.1", "--noise_max", "0.4"], prog="t").augment
    assert (found.noise_prob, found.noise_min, found.noise_max) == (0.3, 0.1, 0.4)
    assert found.spec_augment
    assert found.speed_volume_perturb
