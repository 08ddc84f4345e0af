"""Recall and ranks against hand-computed cases and chance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onsei.metrics.retrieval import permutation_p, ranks, retrieval, shuffled


def test_ranks_by_hand():
    similarity = [[0.9, 0.1, 0.5], [0.8, 0.3, 0.6], [0.1, 0.7, 0.2]]
    assert ranks(similarity).tolist() == [1, 3, 2]
    found = retrieval(similarity, ks=(1, 2, 3))
    assert dict(found.recall) == pytest.approx({1: 100 / 3, 2: 200 / 3, 3: 100.0})
    assert (found.median_rank, found.queries, found.gallery) == (2.0, 3, 3)
    assert found.chance(1) == pytest.approx(100 / 3)


def test_several_things_may_belong_to_a_query():
    similarity = [[0.9, 0.1, 0.5], [0.8, 0.3, 0.6]]
    assert ranks(similarity, [[False, True, True], [True, False, False]]).tolist() == [2, 1]
    assert ranks(similarity, [2, 1]).tolist() == [2, 3]


@given(st.integers(2, 60))
def test_a_network_that_finds_all_alike_is_at_chance(size):
    found = ranks(np.zeros((size, size)))
    assert abs(found.mean() - (size + 1) / 2) <= 0.5


@given(st.integers(1, 12), st.integers(0, 1000))
def test_ranks_are_those_of_a_sorted_list(size, seed):
    similarity = np.random.default_rng(seed).permutation(size * size).reshape(size, size)
    expected = [1 + sorted(row.tolist(), reverse=True).index(row[n]) for n, row in enumerate(similarity)]
    assert ranks(similarity).tolist() == expected


def test_not_a_number_is_the_last():
    assert ranks([[np.nan, 0.1], [0.3, 0.2]]).tolist() == [2, 2]


def test_shuffled_pairs_are_at_chance_and_true_ones_are_not():
    random = np.random.default_rng(0)
    vectors = random.standard_normal((100, 16))
    similarity = vectors @ (vectors + 0.5 * random.standard_normal((100, 16))).T
    drawn = shuffled(similarity, k=10, draws=300)
    assert abs(drawn.mean() - 10) < 1
    assert permutation_p(similarity, k=10, draws=300) == pytest.approx(1 / 301)
    assert permutation_p(random.standard_normal((100, 100)), k=10, draws=300) > 0.01


@pytest.mark.parametrize(
    ("similarity", "truth"),
    [([[1.0, 2.0]], [2]), ([[1.0, 2.0]], [0, 1]), ([[1.0]], [[False]]), ([1.0], None), ([[1.0], [2.0]], None)],
)
def test_shapes_that_do_not_fit_are_refused(similarity, truth):
    with pytest.raises(ValueError, match=r"expected|nothing of its own"):
        ranks(similarity, truth)
