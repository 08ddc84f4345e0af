"""Waveform, spectrogram and curves: right in time and level, and calm with any input."""

from __future__ import annotations

import subprocess
import sys
import warnings

import matplotlib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onsei.errors import DataError
from onsei.plots import style
from onsei.plots.curves import curves
from onsei.plots.points import points, thin
from onsei.plots.spectrogram import levels, spectrogram
from onsei.plots.waveform import waveform

RATE = 8000


def tone(hertz: float, seconds: float = 0.5) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE).astype(np.float32)


def test_a_tone_is_loudest_at_its_frequency():
    level = levels(tone(1000), RATE)
    assert level.max() == 0
    assert level.min() >= -80
    loudest = level[:, level.shape[1] // 2].argmax() / (level.shape[0] - 1) * RATE / 2
    assert loudest == pytest.approx(1000, abs=RATE / 200)


def test_a_click_stands_at_its_time():
    sound = np.zeros(RATE, np.float32)
    sound[6000] = 1
    level = levels(sound, RATE)
    assert level.sum(axis=0).argmax() / level.shape[1] == pytest.approx(0.75, abs=0.015)


def test_silence_is_flat_and_not_nan():
    assert (levels(np.zeros(1000, np.float32), RATE) == -80).all()


def test_a_long_sound_makes_no_larger_picture():
    assert levels(np.zeros(RATE * 60, np.float32), RATE).shape[1] <= 1201
    assert len(style.to_svg(waveform(tone(50, 60), RATE))) < 300_000


@pytest.mark.parametrize("draw", [waveform, spectrogram])
@pytest.mark.parametrize("length", [1, 2, 15, 16, 199, 2401])
def test_any_length_is_drawn(draw, length):
    assert style.to_svg(draw(np.full(length, 0.1, np.float32), RATE)).startswith("<svg")


@pytest.mark.parametrize("draw", [waveform, spectrogram])
@pytest.mark.parametrize(("samples", "rate"), [([], 8000), ([np.nan], 8000), (np.zeros((2, 2, 2)), 8000), ([0.1], 0)])
def test_sound_that_is_none_is_refused(draw, samples, rate):
    with pytest.raises(DataError):
        draw(samples, rate)


@pytest.mark.parametrize("draw", [waveform, spectrogram])
def test_words_stand_below_as_they_are_written(draw):
    words = [("turn", 0.0, 0.2), ("<b>&", 0.2, 0.2), ("音声", 0.2, 0.4), ("$x_1^", 0.3, 0.45), ("late", 0.48, 0.9)]
    svg = style.to_svg(draw(tone(300), RATE, words))
    assert all(word in svg for word in ("turn", "&lt;b&gt;&amp;", "音声", "$x_1^", "late"))


@pytest.mark.parametrize("word", [("a", 0.3, 0.1), ("a", float("nan"), 1.0), ("a", 0.0, float("inf"))])
def test_a_word_that_ends_before_it_starts_is_refused(word):
    with pytest.raises(DataError, match="word 'a'"):
        spectrogram(tone(300), RATE, [word])


def test_time_axis_is_in_seconds_and_shared_with_the_words():
    drawn = spectrogram(tone(300), RATE, [("a", 0.1, 0.2)])
    picture, strip = drawn.axes[:2]
    assert picture.get_xlim() == strip.get_xlim() == (0, 0.5)
    assert picture.get_ylim() == (0, RATE / 2000)


def test_two_channels_are_averaged():
    stereo = np.stack([tone(300), -tone(300)], axis=1)
    assert "<svg" in style.to_svg(waveform(stereo, RATE))
    assert np.ptp(waveform(stereo, RATE).axes[0].get_ylim()) < 0.01


def test_text_stays_text_in_inks_that_follow_the_page():
    svg = style.to_svg(waveform(tone(300), RATE))
    assert ">time in seconds</text>" in svg
    assert "prefers-color-scheme: dark" in svg
    assert style.INK not in svg.partition("</style>")[2]


def test_without_a_japanese_font_nothing_fails_and_the_text_is_kept(monkeypatch):
    monkeypatch.setattr(style, "fonts", lambda: ("DejaVu Sans",))
    drawn = style.figure()
    style.dress(drawn.add_subplot(), x="時間")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "時間" in style.to_svg(drawn)
        assert style.to_png(drawn).startswith(b"\x89PNG")


def test_drawing_touches_no_global_state():
    def settings_now():  # reading "backend" would itself choose one
        return {key: matplotlib.rcParams[key] for key in matplotlib.rcParams if key != "backend"}

    before = settings_now()
    style.to_picture(spectrogram(tone(300), RATE))
    assert settings_now() == before


def test_drawing_needs_no_pyplot_and_no_torch():
    code = """
import sys
from onsei.plots.spectrogram import spectrogram
from onsei.plots.style import to_png, to_svg
drawn = spectrogram([0.0, 0.1] * 500, 8000)
to_svg(drawn), to_png(drawn)
sys.exit("matplotlib.pyplot" in sys.modules or "torch" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_curves_draw_each_key_that_has_values():
    rows = [{"step": i, "train/loss": 1 / (i + 1)} for i in range(50)] + [{"step": 49, "val/loss": 0.5}]
    drawn = curves(rows, ["train/loss", "val/loss", "val/wer"], log=True)
    assert [line.get_label() for line in drawn.axes[0].lines] == ["train/loss", "val/loss"]
    assert "val/loss" in style.to_svg(drawn)


def test_curves_without_any_value_name_what_there_is():
    with pytest.raises(DataError, match="no values of val/wer") as caught:
        curves([{"step": 1, "train/loss": float("nan")}], ["val/wer"])
    assert "train/loss" in caught.value.mend


def test_points_leave_out_what_is_no_number():
    others = [{"step": 2, "a": float("nan")}, {"step": 3, "a": "x"}, {"a": 2.0}, {"step": 5, "a": True}, {}]
    rows = [{"step": 1, "a": 1.0}, *others]
    steps, values = points(rows, "a")
    assert (steps.tolist(), values.tolist()) == ([1.0], [1.0])
    assert points([], "a")[0].shape == (0,)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400), st.integers(4, 60))
def test_thinning_keeps_ends_extremes_and_order(values, limit):
    x, y = np.arange(len(values), dtype=float), np.array(values)
    kept_x, kept_y = thin((x, y), limit)
    assert len(kept_x) <= max(limit, 4)
    assert (kept_x[0], kept_x[-1]) == (x[0], x[-1])
    assert (kept_y.min(), kept_y.max()) == (y.min(), y.max())
    assert (np.diff(kept_x) > 0).all()
    assert (y[kept_x.astype(int)] == kept_y).all()
