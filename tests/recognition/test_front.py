"""The front end: silent ends are cut off, and times still count from the sound's begin."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.systems.recognition.config import Features, Model
from onsei.systems.recognition.data import FrontEnd
from onsei.systems.recognition.inference import Transcriber
from onsei.systems.recognition.model import DeepSpeech2
from onsei.text.alphabet import Alphabet

RATE = 8000
CUTTING = Features(kind="mel", sample_rate=RATE, n_mels=20, window_size=0.025, silence=30)


def tone(seconds):
    time = np.arange(round(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * 440 * time) * np.hanning(len(time))).astype(np.float32)


def silence(seconds, level=1e-5):
    return (level * np.random.default_rng(0).standard_normal(round(seconds * RATE))).astype(np.float32)


@settings(deadline=None, max_examples=30)
@given(before=st.floats(0, 1.5), after=st.floats(0, 1.5))
def test_silence_around_a_sound_changes_little_of_what_is_seen(before, after):
    front, word = FrontEnd(CUTTING), tone(0.4)
    around = np.concatenate([silence(before), word, silence(after)])
    alone, _ = front.heard(word)
    seen, lead = front.heard(around)
    assert abs(seen.shape[1] - alone.shape[1]) <= 8  # up to the margin at either end, where there is room for it
    assert -0.01 <= lead - before + 0.06 <= 0.12


def test_nothing_is_cut_unless_asked_for():
    whole = FrontEnd(Features(kind="mel", sample_rate=RATE, n_mels=20, window_size=0.025))
    sound = np.concatenate([silence(0.5), tone(0.3), silence(0.5)])
    seen, lead = whole.heard(sound)
    assert (seen.shape[1], lead) == (whole.frames(len(sound) / RATE), 0.0)


KEPT = [np.zeros(4000, np.float32), np.full(4000, 0.1, np.float32), np.ones(129, np.float32)]


@pytest.mark.parametrize("sound", KEPT, ids=["silent", "even", "short"])
def test_sounds_without_loud_and_faint_parts_are_kept_whole(sound):
    seen, lead = FrontEnd(CUTTING).heard(sound)
    assert np.isfinite(seen).all()
    assert lead <= 0.1
    assert seen.shape[1] >= 1


def test_times_count_from_the_begin_of_the_sound_and_not_of_the_word():
    torch.manual_seed(0)
    options = Model(hidden_size=8, hidden_layers=1, conv_channels=2, conv_spans=(5, 5))
    runner = Transcriber(
        DeepSpeech2(options, 20, 4),
        options,
        CUTTING,
        Alphabet(tuple("_AB "), "keep"),
        torch.device("cpu"),
        torch.float32,
    )
    word = tone(0.4)
    with torch.no_grad():
        runner.model.head.weight[0] -= 5  # never blank: every frame says something
    early, late = runner.hear([word]), runner.hear([np.concatenate([silence(1.0, 0), word])])
    assert early[0].characters
    assert early[0].characters[0].start < 0.1
    assert 0.85 < late[0].characters[0].start < 1.1
    assert late[0].characters[-1].end <= late[0].duration == pytest.approx(1.4)
