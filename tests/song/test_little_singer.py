"""The little singer sings what it is told, its codec keeps what was sung, its listener hears it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei import cli
from onsei.audio import io
from onsei.data.manifest import Manifest
from onsei.metrics.pitch import pitch, pitch_errors
from onsei.systems.song import sourcefilter
from onsei.systems.song.data.singer import LENGTHS, MORAE, VOICES, Note, compose, sing, write
from onsei.systems.song.data.timed import Timed
from onsei.systems.song.listener import PHONES, Listener, compare, own_error
from onsei.systems.song.sourcefilter import FRAME, LATENTS, RATE, STEPS
from onsei.text import kana
from onsei.text.phones import Phones

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "songs_ja" / "nit_song070"


def courses(first, second):
    """Pitches of two sounds, frame by frame, compared."""
    return pitch_errors(pitch(first, RATE), pitch(second, RATE))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3 * FRAME))
def test_frames_of_the_codec_are_counted_as_of_any_codec(samples):
    latents = sourcefilter.encode(np.zeros(samples, np.float32))
    assert latents.shape == (-(-samples // FRAME), LATENTS)
    assert np.isfinite(latents).all()
    assert len(sourcefilter.decode(latents)) == len(latents) * FRAME


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(VOICES))
def test_packing_loses_only_what_it_says(seed, voice):
    song = sing(compose(np.random.default_rng(seed), 4, lengths=LENGTHS), voice, seed)
    back = sourcefilter.unpack(song.latents)
    assert len(back) == len(song.course) == song.frames * STEPS
    np.testing.assert_allclose(back.pitch, song.course.pitch, rtol=0.05)
    np.testing.assert_allclose(back.voicing, song.course.voicing, atol=1e-5)
    again = sourcefilter.pack(back)
    np.testing.assert_allclose(again, song.latents, atol=1e-4)


def test_noise_and_silence_stay_what_they_are():
    noise = (0.1 * np.random.default_rng(0).standard_normal(RATE)).astype(np.float32)
    back = sourcefilter.decode(sourcefilter.encode(noise))
    assert abs(20 * np.log10(back.std() / noise.std())) < 1.5
    assert np.isnan(pitch(back, RATE)).mean() > 0.9
    assert np.abs(sourcefilter.decode(sourcefilter.encode(np.zeros(RATE, np.float32)))).max() < 1e-3
    assert len(sourcefilter.decode(np.zeros((0, LATENTS), np.float32))) == 0


@pytest.mark.parametrize("voice", VOICES, ids=lambda voice: voice.name)
def test_a_sung_melody_survives_the_codec(voice):
    song = sing(compose(np.random.default_rng(3)), voice, 3)
    sound = song.sound()
    assert 0.2 < np.abs(sound).max() <= 1
    told = pitch_errors(np.where(song.course.voicing > 0.5, song.course.pitch, np.nan), pitch(sound, RATE))
    assert told.correlation > 0.95
    back = sourcefilter.decode(sourcefilter.encode(sound))
    assert courses(sound, back).correlation > 0.97
    assert courses(sound, sourcefilter.decode(song.latents)).correlation > 0.97


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/data/songs_ja")
def test_real_singing_survives_the_codec():
    path = next(iter(sorted(SHARED.glob("*.flac"))))
    sound, _ = io.load(path, RATE, duration=10)
    back = sourcefilter.decode(sourcefilter.encode(sound))
    compared = courses(sound, back)
    assert compared.correlation > 0.98
    assert compared.voicing_error < 12
    assert abs(20 * np.log10(back.std() / sound.std())) < 3


def test_a_seed_is_a_song():
    def made(seed):
        return sing(compose(np.random.default_rng(seed), lengths=LENGTHS), VOICES[0], seed)

    assert made(1).notes == made(1).notes
    assert (made(1).latents == made(1).latents).all()
    assert made(1).notes != made(2).notes
    assert (made(1).sound(5) == made(1).sound(5)).all()
    assert set(range(LENGTHS[0], LENGTHS[1] + 1)) == {note.frames for seed in range(20) for note in made(seed).notes}


@given(st.lists(st.tuples(st.sampled_from(MORAE), st.integers(0, 12), st.integers(*LENGTHS)), min_size=1, max_size=8))
@settings(max_examples=30, deadline=None)
def test_what_is_sung_is_known_to_the_step(told):
    notes = [Note(*one) for one in told]
    song = sing(notes)
    assert song.frames == sum(note.frames for note in notes)
    assert list(song.onsets) == [sum(note.frames for note in notes[:n]) for n in range(len(notes))]
    assert [one.phone for one in song.phones] == [phone for note in notes for phone in kana.MORAE[note.mora]]
    assert song.phones[0].start == 0
    assert song.phones[-1].end == song.frames * STEPS
    assert all(a.end == b.start and a.start < a.end for a, b in zip(song.phones, song.phones[1:], strict=False))
    assert [one.text for one in song.timed.syllables()] == [note.mora for note in notes]


def test_morae_are_told_apart_by_their_latents():
    def steps(voice, seed):
        found = {mora: [] for mora in MORAE}
        for number in range(40):
            song = sing(compose(np.random.default_rng([seed, number])), voice, number)
            for note, first in zip(song.notes, song.onsets, strict=True):
                latents = song.latents[first : first + 6].copy()
                latents[:, 26:28] = 0.0  # the melody says nothing of the mora
                found[note.mora].append(latents.ravel())
        return found

    known, unknown = steps(VOICES[0], 0), steps(VOICES[0], 1)
    middles = np.stack([np.mean(known[mora], axis=0) for mora in MORAE])
    right = [
        int(np.square(middles - one).sum(1).argmin()) == number
        for number, mora in enumerate(MORAE)
        for one in unknown[mora]
    ]
    assert np.mean(right) > 0.95


def test_a_corpus_is_written_as_preparing_writes_it(tmp_path):
    path = write(tmp_path, 6, voices=VOICES[:2], morae=6)
    rows = list(Manifest.open(path))
    for row in rows:
        sound, rate = io.load(row.audio)
        assert rate == RATE
        assert len(sound) == round(row.duration * RATE)
        assert Phones().encode(row.extra["symbols"].split())
        assert [one.text for one in Timed.load(row.extra["sections"], "here").syllables()] == list(row.text[8:])
        prompt = (tmp_path / row.extra["prompt_wav"]).resolve()
        assert prompt != row.audio.resolve()
        assert next(one for one in rows if one.audio.resolve() == prompt).speaker == row.speaker
    words = ["song", "fit-sketch", "--data-jsonl", path, "--output-path", tmp_path / "vq.safetensors", "--codes", 8]
    words += ["--embedding", "mel", "--code-size", 8, "--steps", 5, "--cache-dir", tmp_path / "cache"]
    assert cli.main([str(word) for word in words]) == 0
    words = ["song", "sketch", tmp_path / "vq.safetensors", path, "--output-dir", tmp_path / "out"]
    assert cli.main([str(word) for word in [*words, "--sample-rate", RATE, "--hop", FRAME]]) == 0


def test_the_listener_hears_a_voice_that_it_never_heard():
    listener = Listener.train(VOICES[1:], songs=40, steps=160)
    error = own_error(listener, VOICES[0], songs=10)
    assert error.rate < 25
    songs = [sing(compose(np.random.default_rng([7, number])), VOICES[0], number) for number in range(6)]
    heard = [listener.hear(song.sound()) for song in songs]
    right = sum(
        (compare([one.phone for one in s.phones], h) for s, h in zip(songs, heard, strict=True)), start=compare((), ())
    )
    others = [*heard[1:], heard[0]]
    wrong = sum(
        (compare([one.phone for one in s.phones], h) for s, h in zip(songs, others, strict=True)), start=compare((), ())
    )
    assert wrong.rate > 3 * right.rate
    assert {phone for phones in heard for phone in phones} <= set(PHONES)
