"""Faithfulness and the pointing game: what is true scores better than chance and edges; what is false does not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.errors import DataError
from onsei.systems.articulation.explain.faithfulness import blurred, edge_maps, faithfulness, random_maps
from onsei.systems.articulation.explain.pointing import Contours, Pointing, pointing_game, read_contours

SIZE = 32
Y, X = np.mgrid[0:SIZE, 0:SIZE]
DISC = ((X - 20) ** 2 + (Y - 9) ** 2 < 16).astype(np.float32)


def film(frames=4):
    return np.random.default_rng(1).random((frames, SIZE, SIZE), np.float32)


def bright_disc(pictures):
    """A level that hears nothing but how rough the disc is."""
    return 10 * ((pictures - pictures.mean()) ** 2 * DISC).sum((1, 2)).astype(np.float64)


def test_the_place_that_is_heard_scores_best():
    pictures = film()
    true = faithfulness(pictures, np.broadcast_to(DISC, pictures.shape), bright_disc)
    false = faithfulness(pictures, np.broadcast_to(1 - DISC, pictures.shape), bright_disc)
    others = [faithfulness(pictures, random_maps(pictures, (8, 8), n), bright_disc) for n in range(3)]
    others.append(faithfulness(pictures, edge_maps(pictures), bright_disc))
    for other in (false, *others):
        assert true.drop > other.drop
        assert true.change > other.change
        assert true.rise > other.rise
        assert true.gap < other.gap
    assert false.drop < min(other.drop for other in others)


def test_a_level_that_hears_nothing_is_moved_by_nothing():
    found = faithfulness(film(), random_maps(film(), (4, 4), 0), lambda x: np.zeros(len(x)))
    assert (found.drop, found.change, found.rise, found.gap) == (0, 0, 0, 0)


def test_maps_of_another_size_are_refused():
    with pytest.raises(DataError, match=r"expected shape \(4, 32, 32\), found \(4, 8, 8\)"):
        faithfulness(film(), np.zeros((4, 8, 8), np.float32), bright_disc)


def test_all_that_is_deleted_is_the_blurred_film_and_nothing_the_film():
    seen = []

    def level(pictures):
        seen.append(pictures)
        return np.zeros(len(pictures))

    pictures = film()
    faithfulness(pictures, edge_maps(pictures), level)
    assert np.array_equal(seen[1], pictures)
    assert np.array_equal(seen[2], blurred(pictures))
    assert np.array_equal(seen[-2], blurred(pictures))
    assert np.array_equal(seen[-1], pictures)
    assert blurred(pictures).std() < 0.3 * pictures.std()
    assert np.abs(blurred(pictures).mean((1, 2)) - pictures.mean((1, 2))).max() < 0.03


def test_edges_are_where_levels_change():
    picture = np.zeros((1, SIZE, SIZE), np.float32)
    picture[:, :, 16:] = 1
    edges = edge_maps(picture)[0]
    assert set(np.flatnonzero(edges[5])) == {15, 16}


def spot(y, x, frames=3, size=64):
    maps = np.zeros((frames, size, size), np.float32)
    maps[:, y, x] = 1
    return maps


def line(frames=3, size=256):
    """An upright contour at x = 100 from y = 50 to 150."""
    return Contours(
        np.tile(np.stack([np.full(51, 100.0), np.arange(50, 151, 2.0)], axis=1), (frames, 1, 1)), (size, size)
    )


@pytest.mark.parametrize(("y", "x", "hits"), [(25, 25, 3), (25, 27, 3), (25, 29, 0), (2, 25, 0), (11, 22, 3)])
def test_a_hit_lies_within_the_tolerance_of_the_contour(y, x, hits):
    found = pointing_game(spot(y, x), line(), 12)
    assert (found.frames, found.hits) == (3, hits)


def test_chance_is_the_share_of_the_picture_near_the_contour():
    found = pointing_game(spot(0, 0), line(), 12)
    near = (24 * 100 + np.pi * 144) / 256**2
    assert found.chance_rate == pytest.approx(100 * near, rel=0.05)


def test_frames_can_be_left_out_and_clips_added():
    found = pointing_game(spot(25, 25), line(), 12, np.array([True, False, False]))
    assert (found.frames, found.hits) == (1, 1)
    both = found + pointing_game(spot(0, 0), line(), 12)
    assert (both.frames, both.rate) == (4, 25.0)
    assert np.isnan(Pointing().rate)


def test_a_map_without_heat_misses():
    assert pointing_game(np.zeros((3, 64, 64), np.float32), line(), 300).hits == 0


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 400), st.integers(1, 5))
def test_more_tolerance_never_costs_a_hit(tolerance, seed):
    maps = np.random.default_rng(seed).random((3, 32, 32), np.float32)
    less, more = (pointing_game(maps, line(), t) for t in (tolerance, tolerance + 10))
    assert less.hits <= more.hits
    assert less.chance <= more.chance


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"points": np.zeros((3, 5, 2))}, "cannot be read as contours"),
        ({"points": np.zeros((3, 5)), "size": [4, 4]}, r"found \(3, 5\)"),
        ({"points": np.full((3, 5, 2), np.nan), "size": [4, 4]}, "expected points"),
        ({"points": np.zeros((2, 5, 2)), "size": [4, 4]}, "contours of 2 frames, the film has 3"),
        (b"not an archive", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_bad_contours_are_refused(tmp_path, content, message):
    path = tmp_path / "a.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.savez(path, **content)
    with pytest.raises(DataError, match=message):
        read_contours(path, 3)
