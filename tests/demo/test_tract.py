"""The simulated tract: vowels as published, acoustics as physics has them, films that show what is heard."""

import json
from itertools import pairwise

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.audio import io
from onsei.demo.tract import takes
from onsei.demo.tract.scanner import placed
from onsei.demo.tract.shape import PARAMETERS, REST, outline
from onsei.demo.tract.speaker import PUBLISHED, VOWELS, Speaker, Vowel, drawn
from onsei.demo.tract.tube import SOUND, Tube, resonances, transfer, tube
from onsei.demo.tract.voice import moments, sound
from onsei.metrics.formants import formants

POSTURES = np.array(list(VOWELS.values()))
SAID = [Vowel(0.3 + 0.5 * i, 0.8 + 0.5 * i, vowel) for i, vowel in enumerate(VOWELS)]


@pytest.fixture(scope="module")
def take():
    return takes.take(3, seconds=3.1, vowels=SAID)


def middle(vowel, rate):
    return slice(
        round((0.35 * vowel.end + 0.65 * vowel.begin) * rate), round((0.8 * vowel.end + 0.2 * vowel.begin) * rate)
    )


@pytest.mark.parametrize("vowel", VOWELS)
def test_resonances_of_vowels_are_within_a_tenth_of_the_published_ones(vowel):
    found = resonances(tube(np.array([VOWELS[vowel]])))[0]
    assert np.abs(found[:2] / PUBLISHED[vowel] - 1).max() < 0.06
    assert 2200 < found[2] < 3300


def test_vowels_that_are_heard_are_within_a_tenth_of_the_published_ones(take):
    course = formants(take.sound, takes.RATE)
    for vowel in SAID:
        heard = np.nanmedian(course[middle(vowel, 100)], axis=0)
        assert np.abs(heard[:2] / PUBLISHED[vowel.name] - 1).max() < 0.1, vowel.name


def test_the_tracker_finds_the_known_resonances_of_the_tract(take):
    course = formants(take.sound, takes.RATE, hop=takes.HOP / takes.RATE)
    known = take.resonances[:-1]
    between = (course[1 : len(known) + 1] + course[: len(known)]) / 2  # frames show the middle of their hop
    steady = take.voiced[:-1] & (np.abs(np.diff(take.resonances, axis=0)) < 60).all(axis=1)
    apart = np.abs(between - known)[steady]
    assert steady.sum() > 25
    assert (np.nanmedian(apart, axis=0) < (30, 40, 60)).all()


def test_an_even_tube_resonates_at_odd_quarters():
    even = Tube(np.full((1, 36), 4.0), np.array([17.5]))
    found = resonances(even)[0]
    ends = SOUND / 4 / (17.5 + 0.85 * np.sqrt(4.0 / np.pi)) * np.array([1, 3, 5])
    walls = 203.0  # Hz at which the yielding walls of a closed tube resonate
    assert np.abs(found / np.hypot(ends, walls) - 1).max() < 0.03


def test_smaller_tracts_have_higher_resonances():
    large, small = (resonances(tube(POSTURES, scale)) for scale in (1.0, 0.85))
    assert np.abs(small / large * 0.85 - 1).max() < 0.06
    assert (small > large).all()


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.floats(0, 1), min_size=len(PARAMETERS), max_size=len(PARAMETERS)),
    st.floats(0.8, 1.15),
)
def test_any_posture_is_open_passive_and_does_not_cross_itself(shares, scale):
    low, high = np.array([0, 0.25, 0, -0.3, 0.05, 0, -0.5]), np.array([2, 0.9, 1.8, 0.6, 1.8, 1, 0.5])
    posture = (low + np.array(shares) * (high - low))[None]
    shape = outline(posture)
    assert shape.gap.min() > 0.1
    assert (np.diff(shape.movable[0, :10, 1]) > 0).all()
    made = tube(posture, scale)
    assert (made.areas > 0).all()
    assert 10 < made.lengths[0] < 22
    gain = np.abs(transfer(made, np.arange(100.0, 5000.0, 50.0)))
    assert np.isfinite(gain).all()
    assert gain.max() / gain.min() < 1e4


def test_the_tongue_gives_way_where_it_is_not_raised():
    raised, flat = outline(np.array([[0.3, 0.77, 1.4, 0, 1, 0, 0], [0.3, 0.77, 0, 0, 1, 0, 0]])).gap
    along = outline(REST[None]).along
    assert raised[np.abs(along - 0.77).argmin()] < flat[np.abs(along - 0.77).argmin()] - 0.6
    assert raised[np.abs(along - 0.3).argmin()] > flat[np.abs(along - 0.3).argmin()] + 0.2


def test_nothing_is_bent_by_the_rate():
    courses = []
    for rate in (11413, 22050):
        count = rate // 2
        at = moments(count)
        steady = np.tile(VOWELS["e"], (len(at), 1))
        full = np.ones(len(at))
        made = sound(steady, 110 * full, full, rate, count, np.random.default_rng(0))
        assert len(made) == count
        courses.append(np.nanmedian(formants(made, rate)[10:-10], axis=0))
    assert np.abs(courses[0] - courses[1]).max() < 25


def test_silence_is_silent_and_voice_comes_with_the_vowels(take):
    samples = np.abs(take.sound)
    assert samples[: round(0.22 * takes.RATE)].max() < 1e-3
    assert samples[-round(0.15 * takes.RATE) :].max() < 1e-3
    assert min(samples[middle(v, takes.RATE)].max() for v in SAID) > 0.1
    assert samples.max() == pytest.approx(0.7, abs=1e-3)


def test_frames_show_the_tongue_where_the_contour_says(take):
    assert take.frames.shape == (85, 256, 256)
    assert len(take.sound) == 85 * 420
    assert take.points.shape[0] == 85
    x, y = take.points[..., 0], take.points[..., 1]
    assert ((x > 40) & (x < 200) & (y > 40) & (y < 230)).all()
    tongue = slice(14, 34)  # its back, off the teeth
    inside = take.frames[np.arange(85)[:, None], (y[:, tongue] + 7).astype(int), (x[:, tongue] - 4).astype(int)]
    assert np.median(inside) > 90
    for number, vowel in ((round(0.6 * takes.FRAMES), "a"), (round(1.1 * takes.FRAMES), "i")):
        assert take.labels[number] == vowel
    high = take.points[:, tongue, 1].min(axis=1)
    assert high[round(1.1 * takes.FRAMES)] < high[round(0.6 * takes.FRAMES)] - 10


def test_takes_are_the_same_from_the_same_seed():
    one, two, other = (takes.take(seed, seconds=0.9) for seed in (5, 5, 6))
    assert np.array_equal(one.frames, two.frames)
    assert np.array_equal(one.sound, two.sound)
    assert not np.array_equal(one.sound[: len(other.sound)], other.sound[: len(one.sound)])


def test_speakers_lie_and_sound_differently():
    moved = Speaker("two", 0.9, 180.0, (1.0, -0.5), 0.05)
    here, there = placed(np.zeros((1, 2)), Speaker()), placed(np.zeros((1, 2)), moved)
    assert 5 < np.linalg.norm(there - here) < 40
    assert (placed(np.array([[1.0, 1.0]]), Speaker()) - here)[0, 1] < 0  # up is up


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.3, 8))
def test_utterances_have_room_and_no_vowel_twice_in_a_row(seed, seconds):
    said = drawn(np.random.default_rng(seed), seconds)
    for before, after in pairwise(said):
        assert before.end <= after.begin + 1e-9
        assert before.name != after.name
    assert all(0.2 < v.begin < v.end <= seconds - 0.2 for v in said)


def test_a_saved_take_reads_back(tmp_path, take):
    path = takes.save(take, tmp_path, "one")
    heard, rate = io.load(path)
    assert (rate, len(heard)) == (takes.RATE, len(take.sound))
    assert np.abs(heard - take.sound).max() < 1e-4
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
        assert container.streams.video[0].average_rate == takes.FRAMES
    assert len(frames) == 85
    assert np.abs(np.stack(frames).astype(float) - take.frames).mean() < 4
    assert [row[2] for row in json.loads((tmp_path / "one.json").read_text())["labels"]] == list(VOWELS)
    with np.load(tmp_path / "one.npz") as stored:
        assert np.array_equal(stored["points"], take.points)
        assert stored["size"].tolist() == [256, 256]
