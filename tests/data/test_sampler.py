"""Batches by duration: every row once, bounded, the same for all splits, from any batch on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.data import sampler as module
from onsei.data.permutation import Permutation
from onsei.data.sampler import BucketSampler, ascending
from onsei.errors import DataError

LENGTHS = st.lists(st.floats(0, 30, width=32), min_size=1, max_size=300)
corpora = st.builds(
    dict,
    durations=LENGTHS.map(lambda values: np.array(values, dtype=np.float32)),
    batch_seconds=st.one_of(st.none(), st.floats(0.5, 100)),
    batch_size=st.integers(1, 20),
    seed=st.integers(0, 2**40),
    sorted_first=st.booleans(),
    shuffle=st.booleans(),
)
many = settings(max_examples=60, deadline=None)


@pytest.fixture(autouse=True)
def small_pools(monkeypatch):
    monkeypatch.setattr(module, "_SMALLEST_POOL", 20)


def listed(sampler, epoch=0, **options):
    return [batch.tolist() for batch in sampler.batches(epoch, **options)]


@many
@given(corpora, st.integers(0, 3))
def test_every_row_comes_once_in_batches_within_the_limits(corpus, epoch):
    sampler = BucketSampler(**corpus)
    batches = listed(sampler, epoch)
    assert sorted(row for batch in batches for row in batch) == list(range(len(corpus["durations"])))
    assert sampler.count(epoch) == len(batches)
    for batch in batches:
        padded = len(batch) * float(corpus["durations"][batch].max())
        assert 1 <= len(batch) <= corpus["batch_size"]
        assert corpus["batch_seconds"] is None or len(batch) == 1 or padded <= corpus["batch_seconds"] * (1 + 2e-6)


@many
@given(corpora, st.integers(1, 5), st.integers(0, 40), st.integers(0, 2))
def test_processes_and_starts_cut_the_same_list(corpus, world, start, epoch):
    sampler = BucketSampler(**corpus)
    whole = listed(sampler, epoch)
    ranks = [listed(sampler, epoch, start=start, rank=rank, world=world) for rank in range(world)]
    assert listed(sampler, epoch, start=start) == whole[start:]
    for rank in range(world):
        assert ranks[rank] == whole[start + rank :: world]
    assert max(map(len, ranks)) - min(map(len, ranks)) <= 1


@many
@given(corpora, st.integers(0, 3))
def test_a_new_sampler_repeats_the_epoch(corpus, epoch):
    used = BucketSampler(**corpus)
    listed(used, epoch + 1)
    used.count(epoch)
    assert listed(used, epoch) == listed(BucketSampler(**corpus), epoch)


@many
@given(corpora, st.integers(0, 3))
def test_survey_tells_the_sums_and_the_largest_batch(corpus, epoch):
    sampler, lengths = BucketSampler(**corpus), corpus["durations"].astype(np.float64)
    found = sampler.survey(epoch)
    sizes = [len(batch) * lengths[batch].max() for batch in listed(sampler, epoch)]
    assert found.seconds == pytest.approx(lengths.sum(), abs=1e-6)
    assert found.padded_seconds == pytest.approx(sum(sizes), abs=1e-6)
    assert len(found.largest) * lengths[found.largest].max() == pytest.approx(max(sizes))
    assert found.largest.tolist() in listed(sampler, epoch)


def test_epochs_and_seeds_differ_in_order_and_in_company():
    durations = np.linspace(1, 9, 400, dtype=np.float32)

    def batches(seed, epoch):
        return listed(BucketSampler(durations, batch_seconds=30, batch_size=8, seed=seed), epoch)

    for one, two in (((0, 0), (0, 1)), ((0, 0), (1, 0)), ((0, 1), (1, 0))):
        assert batches(*one) != batches(*two)
        assert len({*map(tuple, batches(*one))} & {*map(tuple, batches(*two))}) < 20, "batches mix anew"


def test_order_without_shuffle_is_the_same_in_every_epoch():
    durations = np.linspace(1, 9, 100, dtype=np.float32)
    sampler = BucketSampler(durations, batch_seconds=30, batch_size=8, seed=0, shuffle=False)
    assert listed(sampler, 0) == listed(sampler, 5)


def test_sorted_first_epoch_ascends_and_the_second_does_not():
    durations = np.random.default_rng(0).uniform(1, 9, 500).astype(np.float32)
    sampler = BucketSampler(durations, batch_seconds=40, batch_size=8, seed=0, sorted_first=True)
    longest = [durations[batch].max() for batch in sampler.batches(0)]
    assert longest == sorted(longest)
    longest = [durations[batch].max() for batch in sampler.batches(1)]
    assert longest != sorted(longest)


def test_a_row_longer_than_a_batch_is_alone():
    sampler = BucketSampler(np.float32([1, 50, 1]), batch_seconds=10, batch_size=8, seed=0)
    assert [1] in listed(sampler)


def test_rounding_of_durations_leaves_no_batch_short():
    sampler = BucketSampler(np.full(10, 0.1, np.float32), batch_seconds=1.0, batch_size=100, seed=0)
    assert sampler.count(0) == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_unusable_duration_is_refused_with_its_row(bad):
    durations = np.ones(9, np.float32)
    durations[4] = bad
    with pytest.raises(DataError, match=r"row 4(.|\n)*onsei data merge"):
        BucketSampler(durations, batch_seconds=10, batch_size=2, seed=0)


@pytest.mark.parametrize("options", [{"batch_seconds": 0, "batch_size": 1}, {"batch_seconds": 1, "batch_size": 0}])
def test_limits_that_fit_no_row_are_refused(options):
    with pytest.raises(DataError, match="more than 0"):
        BucketSampler(np.ones(3, np.float32), seed=0, **options)


def test_no_rows_are_refused():
    with pytest.raises(DataError, match="found none"):
        BucketSampler(np.empty(0, np.float32), batch_seconds=1, batch_size=1, seed=0)


@many
@given(LENGTHS, st.integers(1, 50), st.integers(1, 30))
def test_ascending_order_is_the_stable_sort_whatever_is_held(lengths, chunk, scan):
    durations = np.array(lengths, dtype=np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_SCAN", scan)
        parts = list(ascending(durations, chunk))
    assert np.concatenate(parts).tolist() == np.argsort(durations, kind="stable").tolist()
    assert all(len(part) == chunk for part in parts[:-1])


@many
@given(st.integers(1, 5000), st.integers(0, 2**40))
def test_permutation_is_one_whatever_is_asked_first(size, key):
    permutation = Permutation(size, key)
    whole = permutation(np.arange(size))
    assert sorted(whole.tolist()) == list(range(size))
    assert permutation(np.array([size // 2]))[0] == whole[size // 2]


def test_permutation_has_no_favorite_places_or_neighbors():
    size, keys = 40, 4000
    orders = np.stack([Permutation(size, key)(np.arange(size)) for key in range(keys)])
    expected = keys / size
    counts = np.stack([np.bincount(column, minlength=size) for column in orders.T])
    assert ((counts - expected) ** 2 / expected).sum() < 1.2 * size**2, "chi-square of place by row"
    steps = np.bincount((np.diff(orders) % size).ravel(), minlength=size)[1:]
    assert steps.max() < 1.1 * steps.mean(), "no step from one row to the next is common"
    assert steps.min() > 0.9 * steps.mean()


def test_padding_on_read_speech_is_a_tenth_at_most():
    durations = np.random.default_rng(1).gamma(9, 0.34, 620).astype(np.float32) + np.float32(0.5)
    sampler = BucketSampler(durations, batch_seconds=60, batch_size=32, seed=0)
    assert max(sampler.survey(epoch).waste for epoch in range(3)) <= 0.10
