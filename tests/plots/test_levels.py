"""Levels and envelopes equal librosa's, for any length, in one piece or in blocks; calm in silence."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onsei.errors import AudioError, DataError
from onsei.plots import levels
from onsei.plots.envelope import EnvelopeMeter, envelope
from onsei.plots.levels import MelMeter, SpectrogramMeter
from onsei.plots.views import mel, spectrogram, spectrum, waveform

RATE = 22050


def brass(seconds: float = 0.5, rate: int = RATE) -> np.ndarray:
    """Harmonics that fade, with a little noise: 80 dB from loud to quiet."""
    time = np.arange(round(seconds * rate)) / rate
    sound = sum(0.5**k * np.sin(2 * np.pi * 440 * k * time) for k in range(1, 12)) * np.exp(-4 * time)
    return (0.8 * sound + 1e-4 * np.random.default_rng(0).standard_normal(len(time))).astype(np.float32)


def in_blocks(meter, sound, sizes):
    start = 0
    for size in [*sizes, len(sound)]:
        meter.add(sound[start : start + size])
        start += size
    return meter


@pytest.mark.parametrize("length", [1, 3, 1000, 4096, 11025])
def test_the_spectrum_is_that_of_the_original(length):
    sound = brass()[:length]
    part = sound[:4096]
    expected = librosa.amplitude_to_db(np.abs(np.fft.rfft(part * np.hanning(len(part)))), ref=np.max)
    found = levels.spectrum(sound, RATE)
    np.testing.assert_allclose(found.decibels, expected, atol=1e-4)
    np.testing.assert_allclose(found.frequencies, librosa.fft_frequencies(sr=RATE, n_fft=len(part)))


@pytest.mark.filterwarnings("ignore:n_fft=:UserWarning")
@pytest.mark.parametrize("length", [1, 700, 2048, 11025])
@pytest.mark.parametrize(("n_fft", "hop"), [(None, None), (1024, 300), (512, 700)])
def test_the_spectrogram_is_librosas(length, n_fft, hop):
    sound = brass()[:length]
    size = n_fft or 2048
    stft = librosa.stft(sound, n_fft=size, hop_length=hop)
    found = levels.spectrogram(sound, RATE, n_fft=n_fft, hop_length=hop)
    np.testing.assert_allclose(found.decibels, librosa.amplitude_to_db(np.abs(stft), ref=np.max), atol=1e-4)
    np.testing.assert_allclose(found.frequencies, librosa.fft_frequencies(sr=RATE, n_fft=size))
    np.testing.assert_allclose(
        found.times, librosa.frames_to_time(np.arange(stft.shape[1]), sr=RATE, hop_length=hop or 512)
    )


def test_the_mel_spectrogram_is_librosas():
    sound = brass()
    power = librosa.feature.melspectrogram(y=sound, sr=RATE, n_mels=128, fmax=8000)
    found = levels.mel(sound, RATE)
    np.testing.assert_allclose(found.decibels, librosa.power_to_db(power, ref=np.max), atol=1e-4)
    np.testing.assert_allclose(found.frequencies, librosa.mel_frequencies(130, fmin=0, fmax=8000)[1:-1])


def test_windows_and_depth_are_librosas_too():
    sound = brass()
    stft = np.abs(librosa.stft(sound, n_fft=1024, window="blackman"))
    found = levels.spectrogram(sound, RATE, n_fft=1024, window="blackman", db_range=50)
    np.testing.assert_allclose(found.decibels, librosa.amplitude_to_db(stft, ref=np.max, top_db=50), atol=1e-4)
    assert found.decibels.min() == pytest.approx(-50)


@pytest.mark.parametrize("measure", [levels.spectrum, levels.spectrogram, levels.mel])
@pytest.mark.parametrize("loud", [0.0, 1e-12])
def test_silence_lies_at_the_lower_end(measure, loud):
    assert (measure(np.full(5000, loud, np.float32), RATE, db_range=70).decibels == -70).all()


@pytest.mark.parametrize("rate", [2000, 8000, 16000, 44100, 48000, 96000, 192000])
def test_the_defaults_suit_every_rate(rate):
    found = levels.mel(np.sin(np.arange(rate // 2) * 0.3).astype(np.float32), rate)
    assert found.decibels.shape[0] == 128
    assert np.isfinite(found.decibels).all()
    assert levels.default_n_fft(rate) == (2048 if rate <= 48000 else 4096 if rate == 96000 else 8192)


def test_a_tone_is_found_at_its_frequency_and_time():
    sound = np.zeros(RATE, np.float32)
    sound[11025:15000] = np.sin(2 * np.pi * 1000 * np.arange(3975) / RATE)
    found = levels.spectrogram(sound, RATE)
    row, column = np.unravel_index(found.decibels.argmax(), found.decibels.shape)
    assert found.frequencies[row] == pytest.approx(1000, abs=RATE / 2048)
    assert 0.5 < found.times[column] < 0.68


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(1, 9000), st.lists(st.integers(0, 3000), max_size=5), st.sampled_from([100, 256, 700]),
    st.integers(2, 40),
)  # fmt: skip
def test_blocks_and_limits_change_nothing_but_the_columns(length, sizes, hop, limit):
    sound = np.random.default_rng(length).standard_normal(length).astype(np.float32)
    whole = levels.spectrogram(sound, RATE, n_fft=256, hop_length=hop).decibels
    found = in_blocks(SpectrogramMeter(RATE, 256, hop, "hann", limit=limit), sound, sizes).levels()
    starts = np.arange(0, whole.shape[1], found.frames)
    np.testing.assert_allclose(found.decibels, np.maximum.reduceat(whole, starts, axis=1), atol=1e-4)
    assert found.decibels.shape[1] <= limit + 1
    assert found.step == pytest.approx(found.frames * hop / RATE)


def test_many_bins_leave_fewer_columns():
    meter = MelMeter(RATE, 1024, 256, "hann", n_mels=40, f_min=0, f_max=None, limit=None)
    assert meter._limit is None
    assert SpectrogramMeter(RATE, 1 << 17, 512, "hann", limit=4096)._limit * (1 << 16) <= 1 << 24


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 5000), st.lists(st.integers(0, 900), max_size=6), st.integers(2, 50))
def test_the_envelope_has_every_sample_between_its_ends(length, sizes, columns):
    sound = np.random.default_rng(length).standard_normal(length).astype(np.float32)
    found = in_blocks(EnvelopeMeter(columns), sound, sizes).envelope()
    starts = np.arange(0, length, found.step)
    assert len(found.low) <= columns
    assert (found.low == np.minimum.reduceat(sound, starts)).all()
    assert (found.high == np.maximum.reduceat(sound, starts)).all()
    assert found.samples == length


def test_a_short_sound_keeps_each_sample():
    sound = brass(0.01)
    assert (envelope(sound, RATE).low == sound).all()


@pytest.mark.parametrize(
    "call",
    [
        lambda s: levels.spectrum(s, RATE, size=0),
        lambda s: levels.spectrum(s, RATE, db_range=0),
        lambda s: levels.spectrogram(s, RATE, n_fft=1),
        lambda s: levels.spectrogram(s, RATE, n_fft=1 << 18),
        lambda s: levels.spectrogram(s, RATE, hop_length=0),
        lambda s: levels.mel(s, RATE, f_max=20000),
        lambda s: levels.mel(s, RATE, n_mels=2000),
        lambda s: levels.spectrogram(s, RATE, window="round"),
        lambda s: levels.mel(s[:0], RATE),
        lambda s: spectrogram(s, RATE, f_min=5000, f_max=100),
        lambda s: spectrum(s, RATE, f_min=0),
    ],
)
def test_what_cannot_be_drawn_is_told_with_its_mend(call):
    with pytest.raises((DataError, AudioError)) as caught:
        call(brass())
    assert caught.value.mend


@pytest.mark.parametrize("draw", [waveform, spectrum, spectrogram, mel])
@pytest.mark.parametrize("length", [1, 2, 5, 100, 11025])
def test_each_view_draws_any_length(draw, length):
    drawn = draw(brass()[:length], RATE, title="a $x^ <b> 音", language="ja")
    drawn.draw_without_rendering()
    assert drawn.axes[0].get_title(loc="left") == "a $x^ <b> 音"


def test_axes_say_seconds_hertz_and_decibels():
    sound = brass()
    assert waveform(sound, RATE).axes[0].get_xlim() == (0, 0.5)
    picture, bar = spectrogram(sound, RATE).axes
    assert (picture.get_xlabel(), picture.get_ylabel(), bar.get_ylabel()) == (
        "time in seconds", "frequency in Hz", "dB",
    )  # fmt: skip
    assert picture.get_xlim() == (0, 0.5)
    assert picture.get_ylim() == (0, RATE / 2)
    line = spectrum(sound, RATE).axes[0]
    assert line.get_xscale() == "log"
    assert line.get_xlim() == (20, RATE / 2)
    bands = mel(sound, RATE)
    bands.draw_without_rendering()
    assert [text.get_text() for text in bands.axes[0].get_yticklabels()][-1] == "8000"


def test_the_picture_shows_the_numbers():
    sound = brass()
    image = spectrogram(sound, RATE, n_fft=512).axes[0].images[0]
    np.testing.assert_array_equal(image.get_array(), levels.spectrogram(sound, RATE, n_fft=512).decibels)
    shown = mel(sound, RATE).axes[0].images[0].get_array()
    np.testing.assert_array_equal(shown, levels.mel(sound, RATE).decibels)


def test_a_logarithmic_axis_puts_a_tone_where_it_belongs():
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE).astype(np.float32)
    image = spectrogram(tone, RATE, log_frequency=True).axes[0].images[0]
    row = int(image.get_array().mean(axis=1).argmax())
    bottom, top = image.get_extent()[2:]
    assert 10 ** (bottom + (row + 0.5) / image.get_array().shape[0] * (top - bottom)) == pytest.approx(1000, rel=0.02)
