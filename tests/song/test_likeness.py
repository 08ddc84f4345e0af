"""How alike songs sound: the same voice is nearer than another, the same songs nearer than noise."""

import numpy as np
import pytest

from onsei.systems.song.data.singer import VOICES, compose, sing
from onsei.systems.song.evaluation.likeness import distances, frames_of, voices
from onsei.systems.song.sketch.embedding import MelFrames
from onsei.systems.song.sourcefilter import RATE


def songs(voice, seed, count=3):
    return [sing(compose(np.random.default_rng([seed, n]), 5), voice, n).sound(n) for n in range(count)]


def test_frames_cover_the_sound():
    embedding = MelFrames()
    assert frames_of(np.zeros(RATE, np.float32), RATE, embedding).shape == (25, embedding.width)
    assert frames_of(np.zeros(RATE + 1, np.float32), RATE, embedding).shape == (26, embedding.width)
    assert frames_of(np.zeros(0, np.float32), RATE, embedding).shape == (1, embedding.width)


def test_songs_of_the_voice_are_nearer_than_those_of_another_and_noise_is_farthest():
    true = songs(VOICES[0], 1)
    same = distances(songs(VOICES[0], 2), true, true, RATE, MelFrames(), 0)
    other = distances(songs(VOICES[1], 2), true, true, RATE, MelFrames(), 0)
    assert same["frechet_codec"] == pytest.approx(0, abs=1e-3)  # the codec given here leaves songs as they are
    assert same["frechet"] < other["frechet"] < same["frechet_noise"]


def test_a_song_is_like_a_prompt_of_its_own_voice():
    sung = [songs(voice, 3, 1)[0] for voice in VOICES]
    prompts = [songs(voice, 4, 1)[0] for voice in VOICES]
    found = voices(sung, prompts, RATE, MelFrames())
    assert found["prompt_match"] > 0.5 > 0 > found["prompt_match_other"]
    assert voices(sung, prompts[:1] * 3, RATE, MelFrames()) == {}
    assert voices(sung[:1], prompts[:1], RATE, MelFrames()) == {}
