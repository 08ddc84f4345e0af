"""Films are read as they are: rates exact, uneven clocks, color and damage told."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from onsei.errors import AudioError
from onsei.vision import video
from tests.vision.films import moving_bar, write


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("a.mp4", "libx264", "yuv420p"),
        ("a.mkv", "ffv1", "gray"),
        ("a.avi", "mjpeg", "yuvj420p"),
        ("a.mov", "png", "gray"),
        ("a.mp4", "mpeg4", "yuv420p"),
    ],
)
def test_pictures_of_any_container_are_read(tmp_path, name, codec, pix_fmt):
    frames = moving_bar()
    film = video.read(write(tmp_path / name, frames, 25, codec=codec, pix_fmt=pix_fmt))
    assert film.frames.shape == frames.shape
    assert film.frames.dtype == np.uint8
    difference = np.abs(film.frames.astype(int) - frames)
    assert difference.mean() < (0.5 if codec in ("ffv1", "png") else 12)
    assert (film.even, film.color, film.damage) == (True, False, "")


@pytest.mark.parametrize("rate", ["11413/420", "23.18", "83.28", "625/23", "30000/1001", "50"])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_rates_are_exact(tmp_path, rate, name):
    film = video.read(write(tmp_path / name, moving_bar(30), Fraction(rate)))
    assert float(film.rate) == pytest.approx(float(Fraction(rate)), rel=2e-5)
    assert film.even
    assert film.seconds == pytest.approx(30 / float(Fraction(rate)), rel=2e-5)
    if name.endswith("mp4"):
        assert film.times[-1] == pytest.approx(29 / float(Fraction(rate)), abs=1e-4)


def test_the_rate_of_the_simulated_films_is_a_fraction(tmp_path):
    assert video.read(write(tmp_path / "a.mp4", moving_bar(30), Fraction(11413, 420))).rate == Fraction(11413, 420)


def test_uneven_steps_are_told_and_times_kept(tmp_path):
    stamps = np.array([0, 40, 80, 160, 200, 240, 300, 340])
    film = video.read(write(tmp_path / "a.mkv", moving_bar(8), 25, codec="ffv1", stamps=stamps))
    assert not film.even
    np.testing.assert_allclose(film.times, stamps / 1000, atol=1e-3)


def test_a_given_rate_replaces_that_of_the_header(tmp_path):
    film = video.read(write(tmp_path / "a.mp4", moving_bar(8), 25), rate=Fraction(50))
    assert film.rate == 50
    np.testing.assert_allclose(film.times, np.arange(8) / 50)


@pytest.mark.parametrize("size", [(68, 68), (84, 84), (256, 256), (100, 60)])
def test_pictures_are_brought_to_a_size(tmp_path, size):
    path = write(tmp_path / "a.mkv", moving_bar(3, size), 25, codec="ffv1")
    assert video.read(path).frames.shape == (3, *size)
    assert video.read(path, size=(32, 48)).frames.shape == (3, 32, 48)


def test_a_crop_is_taken_before_the_size(tmp_path):
    frames = moving_bar(2, (64, 80))
    path = write(tmp_path / "a.mkv", frames, 25, codec="ffv1")
    crop = video.Crop(10, 4, 32, 40)
    np.testing.assert_array_equal(video.read(path, crop=crop).frames, frames[:, 4:44, 10:42])
    assert video.read(path, crop=crop, size=(20, 20)).frames.shape == (2, 20, 20)
    with pytest.raises(AudioError, match="80 × 64"):
        video.read(path, crop=video.Crop(50, 0, 40, 40))


@pytest.mark.parametrize(
    ("rate", "expected"), [(25, range(10)), (50, [0, 0, 1, 1, 2]), (Fraction(25, 2), [0, 2, 4, 6, 8])]
)
def test_another_rate_takes_the_frames_next_in_time(tmp_path, rate, expected):
    film = video.read(write(tmp_path / "a.mkv", moving_bar(10), 25, codec="ffv1"))
    other = video.retimed(film, Fraction(rate))
    assert len(other.frames) == int(10 * rate / 25)
    np.testing.assert_array_equal(other.frames[: len(expected)], film.frames[list(expected)])
    assert (other.rate, other.even, other.seconds) == (rate, True, film.seconds)


def test_luma_is_taken_of_color(tmp_path):
    color = np.zeros((3, 32, 32, 3), np.uint8)
    color[..., 0] = 200
    film = video.read(write(tmp_path / "a.mp4", color, 25, pix_fmt="yuv444p"))
    assert film.color
    assert film.frames.mean() == pytest.approx(0.299 * 200, abs=4)


def test_a_film_that_breaks_off_is_refused_or_cut(tmp_path):
    path = write(tmp_path / "a.avi", moving_bar(40), 25, codec="mjpeg", pix_fmt="yuvj420p")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * 0.6)])
    with pytest.raises(AudioError, match="frames"):
        video.read(path)
    film = video.read(path, damaged="keep")
    assert 10 < len(film.frames) < 40
    assert film.damage


@pytest.mark.parametrize("content", [b"", b"not a film" * 50, b"RIFF\0\0\0\0AVI "])
def test_what_is_no_film_is_refused(tmp_path, content):
    path = tmp_path / "a.avi"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=r"a\.avi"):
        video.read(path)


def test_a_missing_film_a_sound_and_a_long_film_are_refused(tmp_path):
    with pytest.raises(AudioError, match="no such film"):
        video.info(tmp_path / "none.mp4")
    from onsei.audio import io

    io.save(tmp_path / "a.wav", np.zeros(800, np.float32), 8000)
    with pytest.raises(AudioError, match=r"film|pictures"):
        video.info(tmp_path / "a.wav")
    with pytest.raises(AudioError, match="limit is 5"):
        video.read(write(tmp_path / "a.mp4", moving_bar(8), 25), max_frames=5)


def test_two_frames_are_a_film_and_the_header_tells_of_sound(tmp_path):
    path = write(tmp_path / "a.mp4", moving_bar(2), 25, sound=np.zeros(900), sound_rate=11025)
    assert video.read(path).frames.shape == (2, 64, 64)
    assert video.info(path).sound


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))))
def test_normalized_frames_fill_0_to_1(frames):
    made = video.normalized(frames)
    for frame, before in zip(made, frames, strict=True):
        spread = float(before.max()) - float(before.min())
        standard = (before - before.mean()) / before.std() if spread else np.zeros(before.shape)
        expected = (standard - standard.min()) / (standard.max() - standard.min()) if spread else standard
        np.testing.assert_allclose(frame, expected, atol=1e-6)
    np.testing.assert_allclose(video.stretched(frames) / 255, made, atol=0.5 / 255 + 1e-6)
