"""Parts that have every class in like shares, and the random split of Hugging Face's course."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.data.leaks import leaks
from onsei.data.strata import cut_by_class, cut_by_class_and_group, random_cut
from onsei.errors import DataError


def test_the_random_cut_is_the_one_of_the_course():
    """datasets: ``permutation = default_rng(seed).permutation(n)``; its first ceil(n * test_size) rows are the test."""
    train, test = random_cut(999, 0.1, 42)
    assert (len(train), len(test)) == (899, 100)
    order = np.random.default_rng(42).permutation(999)
    assert test.tolist() == order[:100].tolist()
    assert train.tolist() == order[100:].tolist()
    # What numpy's PCG64 gives for this seed, so that a change of generator is noticed.
    assert random_cut(10, 0.2, 42)[1].tolist() == np.random.Generator(np.random.PCG64(42)).permutation(10)[:2].tolist()


@settings(deadline=None, max_examples=60)
@given(
    counts=st.lists(st.integers(1, 30), min_size=1, max_size=6),
    val=st.floats(0.01, 0.45),
    test=st.floats(0, 0.45),
    seed=st.integers(0, 5),
)
def test_every_class_is_cut_in_its_shares(counts, val, test, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts)).astype(np.int32)
    parts = cut_by_class(labels, {"val": val, "test": test}, seed)
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(len(labels)))
    for label, count in enumerate(counts):
        held = {name: int((labels[rows] == label).sum()) for name, rows in parts.items()}
        assert held["train"] >= 1
        for name, share in (("val", val), ("test", test)):
            assert held[name] <= max(1, round(share * count))
        if count >= 3:
            assert held["val"] >= 1
            assert held["test"] >= (1 if test else 0)
    again = cut_by_class(labels, {"val": val, "test": test}, seed)
    assert all(np.array_equal(again[name], rows) for name, rows in parts.items())


@settings(deadline=None, max_examples=60)
@given(
    groups=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), min_size=3, max_size=30), seed=st.integers(0, 5)
)
def test_no_group_is_cut_apart(groups, seed):
    labels = np.concatenate([np.full(size, label) for label, size in groups]).astype(np.int32)
    labels = np.unique(labels, return_inverse=True)[1].astype(np.int32)
    codes = np.repeat(np.arange(len(groups)), [size for _, size in groups]).astype(np.int32)
    parts = cut_by_class_and_group(labels, codes, {"val": 0.2, "test": 0.2}, seed)
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(len(labels)))
    homes = [set(codes[rows].tolist()) for rows in parts.values()]
    assert sum(map(len, homes)) == len(groups)


def test_groups_give_even_classes_where_they_can():
    labels = np.tile(np.arange(4), 50).astype(np.int32)
    groups = np.repeat(np.arange(20), 10).astype(np.int32)
    parts = cut_by_class_and_group(labels, groups, {"val": 0.1, "test": 0.1}, 1)
    assert {name: len(rows) for name, rows in parts.items()} == {"train": 160, "val": 20, "test": 20}
    for rows in parts.values():
        counts = np.bincount(labels[rows], minlength=4)
        assert counts.max() - counts.min() <= 4


def test_fewer_groups_than_parts_are_refused():
    with pytest.raises(DataError, match="2 groups"):
        cut_by_class_and_group(np.zeros(4, np.int32), np.array([0, 0, 1, 1], np.int32), {"val": 0.2, "test": 0.2}, 0)


def test_leaks_are_found_key_by_key_and_none_is_made_up():
    values = {"a": [1, 2, 2, 0], "b": [2, 3, 0], "c": [4]}
    digests = {name: np.array(found, np.uint64) for name, found in values.items()}
    (leak,) = leaks({name: {"speaker": found} for name, found in digests.items()})
    assert (leak.first, leak.second, leak.values, leak.rows, leak.example) == ("a", "b", 1, 1, (1, 0))
    assert "the same speaker" in leak.told("x", "y")
    assert leaks({"a": {"speaker": digests["a"]}, "b": {"artist": digests["b"]}}) == []
