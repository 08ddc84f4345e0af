"""The Fréchet distance: of known Gaussians, however the frames come."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.metrics.frechet import Moments, frechet_distance


def moments(frames, pieces=1):
    found = Moments(frames.shape[1])
    for part in np.array_split(frames, pieces):
        found.add(part)
    return found


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 40), st.integers(1, 5), st.integers(1, 60))
def test_pieces_give_what_the_whole_gives(count, width, pieces):
    frames = np.random.default_rng(count).normal(100, 3, (count, width))
    found = moments(frames, pieces)
    assert found.count == count
    assert np.allclose(found.mean, frames.mean(0), rtol=1e-9)
    assert np.allclose(found.covariance, np.cov(frames.T).reshape(width, width), atol=1e-7)


def test_it_is_the_formula():
    random = np.random.default_rng(0)
    one, other = random.normal(0, 1, (500, 6)) @ random.normal(0, 1, (6, 6)), random.normal(1, 2, (400, 6))
    first, second = np.cov(one.T), np.cov(other.T)
    cross = scipy.linalg.sqrtm(first @ second).real
    wanted = np.square(one.mean(0) - other.mean(0)).sum() + np.trace(first + second - 2 * cross)
    assert frechet_distance(moments(one), moments(other)) == pytest.approx(wanted, rel=1e-6)
    assert frechet_distance(moments(other), moments(one)) == pytest.approx(wanted, rel=1e-6)


def test_moved_frames_are_as_far_as_they_were_moved():
    frames = np.random.default_rng(1).normal(0, 1, (200, 3))
    assert frechet_distance(moments(frames), moments(frames)) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(moments(frames), moments(frames + np.array([3, 0, 4]))) == pytest.approx(25)
    few = moments(frames[:2])  # its covariance has one dimension
    assert np.isfinite(frechet_distance(few, moments(frames)))


def test_one_frame_is_too_few():
    with pytest.raises(ValueError, match="2 or more"):
        frechet_distance(moments(np.zeros((1, 3))), moments(np.zeros((5, 3))))
