"""Films: their rate, length and gray levels are exact, and sound is where the frames are, to the sample."""

from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.audio import io
from onsei.errors import AudioError, DataError
from onsei.vision import film
from onsei.vision.film import Sound

RTMRI = Fraction(11413, 420)


def flashes(count, size=(64, 48), every=7):
    """Dark frames, and a white one now and then."""
    for number in range(count):
        yield np.full(size, 235 if number % every == 3 else 30, np.uint8)


def clicks(count, rate, sound_rate, every=7):
    """A click of 2 kHz that begins with each white frame of ``flashes``."""
    samples = np.zeros(round(count / rate * sound_rate), np.float32)
    length = sound_rate // 50
    burst = np.sin(2 * np.pi * 2000 * np.arange(length) / sound_rate) * np.hanning(length)
    for number in range(3, count, every):
        begin = round(number / rate * sound_rate)
        part = samples[begin : begin + length]
        part += burst[: len(part)].astype(np.float32) * 0.8
    return samples


def decoded(path):
    """Frames (n, H, W), their times in seconds, and the sound with the time of its first sample."""
    with av.open(str(path)) as container:
        pictures = [(f.to_ndarray(format="gray"), f.pts * f.time_base) for f in container.decode(video=0)]
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return np.stack([p for p, _ in pictures]), [t for _, t in pictures], None, None, None
        parts = [(f.to_ndarray()[0], f.pts * f.time_base, f.sample_rate) for f in container.decode(audio=0)]
    sound = np.concatenate([part.astype(np.float64) for part, _, _ in parts])
    return np.stack([p for p, _ in pictures]), [t for _, t in pictures], sound, parts[0][1], parts[0][2]


def lag(found, wanted):
    """Samples by which ``found`` is later than ``wanted``, by their cross-correlation."""
    size = 1 << (len(found) + len(wanted)).bit_length()
    product = np.fft.irfft(np.fft.rfft(found, size) * np.fft.rfft(wanted, size).conj(), size)
    at = int(np.argmax(product))
    return at if at < size // 2 else at - size


@pytest.mark.parametrize("coding", ["aac", "flac"])
@pytest.mark.parametrize("rate", [RTMRI, Fraction(25), Fraction(30000, 1001), Fraction(2318, 100), Fraction(8328, 100)])
def test_sound_and_frames_are_in_step_to_the_sample(tmp_path, rate, coding):
    count, sound_rate = 81, 44100
    said = clicks(count, rate, sound_rate)
    path = tmp_path / "a.mp4"
    assert film.write(path, flashes(count), rate, Sound(said, sound_rate, coding)) == count
    pictures, times, sound, first, found_rate = decoded(path)
    assert found_rate == sound_rate
    assert times == [number / rate for number in range(count)]
    white = [float(times[n]) for n in range(count) if pictures[n].mean() > 128]
    assert white == [float(n / rate) for n in range(3, count, 7)]
    assert first == 0
    assert abs(lag(sound, said)) <= 1
    heard = np.abs(io.load(path)[0])
    for second in white:
        begin = round(second * sound_rate)
        assert heard[begin : begin + 900].max() > 0.5 > 20 * heard[begin - 900 : begin - 60].max()


def lengths(path):
    """Seconds of the picture and of the sound as the file tells them."""
    with av.open(str(path)) as container:
        return [stream.duration * stream.time_base for stream in (*container.streams.video, *container.streams.audio)]


@settings(max_examples=12, deadline=None)
@given(
    count=st.integers(1, 60),
    rate=st.sampled_from([RTMRI, Fraction(24), Fraction(8328, 100), Fraction(1, 3)]),
    sound_rate=st.sampled_from([11413, 16000, 44100]),
)
def test_a_film_lasts_exactly_as_long_as_its_frames(tmp_path_factory, count, rate, sound_rate):
    path = tmp_path_factory.mktemp("film") / "a.mp4"
    count = min(count, 8) if rate < 1 else count
    samples = np.zeros(round(count / rate * sound_rate) + 100, np.float32)
    film.write(path, flashes(count, (16, 16)), rate, Sound(samples, sound_rate, "flac"))
    assert lengths(path) == [count / rate, Fraction(round(count / rate * sound_rate), sound_rate)]
    assert len(io.load(path)[0]) == round(count / rate * sound_rate)


def test_sound_of_rates_that_aac_lacks_is_brought_to_one_it_has(tmp_path):
    said = clicks(54, RTMRI, 11413)
    film.write(tmp_path / "a.mp4", flashes(54), RTMRI, Sound(said, 11413))
    heard, _ = io.load(tmp_path / "a.mp4", 11413)
    assert abs(lag(heard, said)) <= 1
    assert np.corrcoef(heard[: len(said)], said[: len(heard)])[0, 1] > 0.98
    assert lengths(tmp_path / "a.mp4")[0] == 54 / RTMRI


def test_lossless_sound_is_the_same_to_16_bits(tmp_path):
    said = np.random.default_rng(0).uniform(-0.9, 0.9, 16000).astype(np.float32)
    film.write(tmp_path / "a.mp4", flashes(25), 25, Sound(said, 16000, "flac"))
    heard, rate = io.load(tmp_path / "a.mp4")
    assert (rate, len(heard)) == (16000, 16000)
    assert np.abs(heard - said).max() < 1 / 32000


@pytest.mark.parametrize(("given_seconds", "heard"), [(0.4, 0.4), (3.0, 1.0)])
def test_sound_ends_with_the_film(tmp_path, given_seconds, heard):
    said = np.full(round(given_seconds * 8000), 0.5, np.float32)
    film.write(tmp_path / "a.mp4", flashes(25), 25, Sound(said, 8000, "flac"))
    found, _ = io.load(tmp_path / "a.mp4")
    assert len(found) == 8000
    assert np.abs(found[: round(heard * 8000)] - 0.5).max() < 1e-3
    assert not found[round(heard * 8000) :].any()


@pytest.mark.parametrize("size", [(64, 64), (68, 68), (33, 47), (256, 256)])
def test_gray_levels_of_any_size_survive(tmp_path, size):
    ramp = np.linspace(0, 255, size[0] * size[1]).reshape(size).astype(np.uint8)
    film.write(tmp_path / "a.mp4", [ramp] * 3, 20, quality=0)
    pictures, _, sound, _, _ = decoded(tmp_path / "a.mp4")
    assert sound is None
    assert np.abs(pictures[1].astype(int) - ramp).max() <= 1
    film.write(tmp_path / "b.mp4", [ramp] * 3, 20)
    assert np.abs(decoded(tmp_path / "b.mp4")[0][1].astype(int) - ramp).mean() < 2


def test_colors_survive(tmp_path):
    frame = np.zeros((32, 32, 3), np.uint8)
    frame[:, :16] = (200, 30, 40)
    frame[:, 16:] = (20, 60, 220)
    film.write(tmp_path / "a.mp4", [frame] * 2, 10, quality=5)
    with av.open(str(tmp_path / "a.mp4")) as container:
        found = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert np.abs(found[8:24, 4:12].astype(int) - frame[8:24, 4:12]).max() < 12
    assert np.abs(found[8:24, 20:28].astype(int) - frame[8:24, 20:28]).max() < 12


def test_a_failure_leaves_an_older_film_as_it_was(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")

    def broken():
        yield from flashes(3)
        yield np.zeros((10, 10), np.uint8)

    with pytest.raises(DataError, match=r"frame 3: expected 8-bit pixels of shape \(64, 48\).*found uint8.*10, 10"):
        film.write(path, broken(), 25)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize(
    ("frames", "rate", "name", "message"),
    [
        ([], 25, "a.mp4", "no frames"),
        ([np.zeros((4, 4))], 25, "a.mp4", "found float64"),
        ([np.zeros((4, 4, 4), np.uint8)], 25, "a.mp4", "frame 0"),
        ([np.zeros((4, 4), np.uint8)], 0, "a.mp4", "0 frames a second"),
        ([np.zeros((4, 4), np.uint8)], -5, "a.mp4", "-5 frames a second"),
        ([np.zeros((4, 4), np.uint8)], 25, "a.gif", "found '.gif'"),
    ],
)
def test_what_is_no_film_is_refused(tmp_path, frames, rate, name, message):
    with pytest.raises(DataError, match=message):
        film.write(tmp_path / name, frames, rate)
    assert not list(tmp_path.iterdir())


def test_sound_that_is_not_finite_is_refused(tmp_path):
    with pytest.raises(AudioError, match="NaN"):
        film.write(tmp_path / "a.mp4", flashes(3), 25, Sound(np.array([0.0, np.nan], np.float32), 8000))
    assert not list(tmp_path.iterdir())
