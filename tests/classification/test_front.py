from dataclasses import replace

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.errors import ConfigError
from onsei.systems.classification.config import Features
from onsei.systems.classification.data import FrontEnd, pieces

seconds = st.floats(0.02, 3.0)


@settings(deadline=None)
@given(length=st.integers(1, 200_000), piece=seconds, overlap=st.floats(0.0, 0.95), rate=st.sampled_from([100, 8000]))
def test_pieces_hear_all_of_a_sound_and_nothing_beyond_it(length, piece, overlap, rate):
    options = Features(sample_rate=rate, seconds=piece, overlap=piece * overlap)
    if not options.samples:
        return
    found = pieces(length, options)
    heard = np.zeros(length, bool)
    for start, count in found:
        assert start >= 0
        assert count >= 1
        assert start + count <= length
        heard[start : start + count] = True
    assert heard.all()
    assert len(found) == 1 or {count for _, count in found} == {options.samples}
    starts = [start for start, _ in found]
    assert starts == sorted(starts)


@settings(deadline=None, max_examples=60)
@given(length=st.integers(1, 30_000), window=st.floats(0.01, 0.1), stride=st.floats(0.004, 0.05))
def test_frames_are_counted_before_they_are_made(length, window, stride):
    front = FrontEnd(Features(sample_rate=8000, window_size=window, window_stride=stride, n_mels=8))
    made = front(np.random.default_rng(0).standard_normal(length).astype(np.float32))
    assert made.shape == (8, front.frames(length))
    assert torch.isfinite(made).all()


def test_the_mel_power_is_librosas():
    options = Features(sample_rate=16000, n_mels=40, window_size=0.064, window_stride=0.032)
    sound = np.random.default_rng(1).standard_normal(8000).astype(np.float32)
    theirs = librosa.feature.melspectrogram(
        y=sound, sr=16000, n_fft=1024, hop_length=512, n_mels=40, pad_mode="reflect"
    )
    np.testing.assert_allclose(FrontEnd(options).raw(sound), theirs, rtol=1e-3, atol=1e-4)


def test_loudness_does_not_matter_where_pieces_are_leveled():
    sound = np.random.default_rng(2).standard_normal(8000).astype(np.float32)
    leveled, plain = (FrontEnd(Features(sample_rate=8000, level=level, floor=1e-2)) for level in (True, False))
    torch.testing.assert_close(leveled(0.01 * sound), leveled(sound), atol=1e-3, rtol=0)
    assert (plain(0.01 * sound) - plain(sound)).abs().max() > 0.1


def test_silence_is_flat():
    for kind in ("mel", "wave"):
        assert FrontEnd(Features(kind=kind, sample_rate=8000))(np.zeros(800, np.float32)).abs().max() < 1e-3


def test_samples_are_standardized_as_transformers_does():
    from transformers import Wav2Vec2FeatureExtractor

    sound = (0.3 + 0.1 * np.random.default_rng(3).standard_normal(4000)).astype(np.float32)
    theirs = Wav2Vec2FeatureExtractor(do_normalize=True)(sound, sampling_rate=16000)["input_values"][0]
    ours = FrontEnd(Features(kind="wave", sample_rate=16000))(sound)
    np.testing.assert_allclose(ours[0], theirs, atol=1e-5)
    bare = FrontEnd(Features(kind="wave", sample_rate=16000, standardize=False))(sound)
    np.testing.assert_array_equal(bare[0], sound)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seconds": 1.0, "overlap": 1.0}, "features.overlap"),
        ({"sample_rate": 8000, "f_max": 5000.0}, "4000"),
        ({"f_min": 900.0, "f_max": 800.0}, "features.f_min"),
    ],
)
def test_options_that_contradict_each_other_are_refused(changes, named):
    with pytest.raises(ConfigError, match=named):
        FrontEnd(Features(**changes))


def test_silence_at_both_ends_is_cut_off_but_for_a_margin():
    random = np.random.default_rng(2)
    word = random.standard_normal(4000).astype(np.float32)
    quiet = 1e-3 * random.standard_normal(20_000).astype(np.float32)
    sound = np.concatenate([quiet[:9000], word, quiet[9000:]])
    options = Features(sample_rate=8000, n_mels=20, window_size=0.032, window_stride=0.016, silence=30)
    cut, whole = FrontEnd(options)(sound), FrontEnd(replace(options, silence=0))(sound)
    assert whole.shape[1] == FrontEnd(options).frames(len(sound))
    assert 4000 / 128 <= cut.shape[1] <= 4000 / 128 + 2 * (0.03 + 0.032) / 0.016 + 1
    assert FrontEnd(options)(np.zeros(8000, np.float32)).shape[1] == FrontEnd(options).frames(8000)  # silence stays


@pytest.mark.parametrize("silence", [0.0, 40.0])
@pytest.mark.parametrize("kind", ["mel", "wave"])
def test_sounds_together_are_heard_as_alone(kind, silence):
    front = FrontEnd(Features(kind=kind, sample_rate=8000, n_mels=16, silence=silence))
    draw = np.random.default_rng(0)
    lengths = [5000] * 6 + [7000, 5000, 20, 20, 1]  # not sorted, shorter than a window, one sample
    sounds = [draw.standard_normal(length).astype(np.float32) for length in lengths]
    sounds[2][:] = 0
    together, lengths = front.batch(sounds)
    for found, length, sound in zip(together, lengths, sounds, strict=True):
        torch.testing.assert_close(found[:, :length], front(sound), atol=1e-5, rtol=1e-5)
        assert not found[:, length:].any()
