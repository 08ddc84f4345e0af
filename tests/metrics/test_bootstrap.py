"""Bootstrap intervals: against a plain loop, against theory, and in a second."""

import math
import time

import numpy as np
import pytest

from onsei.metrics.bootstrap import compare, group_numbers, intervals


def corpus(count=200, rate=0.1, seed=0):
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 20, count)
    return random.binomial(lengths, rate), lengths


def plain(errors, lengths, groups, resamples, seed):
    """Rates of resampled groups, one loop each."""
    random = np.random.default_rng(seed)
    names = sorted(set(groups))
    rates = []
    for _ in range(resamples):
        chosen = [i for g in random.choice(names, len(names)) for i in range(len(errors)) if groups[i] == g]
        rates.append(100 * sum(errors[i] for i in chosen) / sum(lengths[i] for i in chosen))
    return np.quantile(rates, [0.025, 0.975])


def test_the_interval_is_that_of_a_plain_loop():
    errors, lengths = corpus(60, 0.3)
    (found,) = intervals(errors, lengths)
    assert found.rate == pytest.approx(100 * errors.sum() / lengths.sum())
    low, high = plain(errors, lengths, list(range(60)), 2000, 1)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.6)
    speakers = [n % 6 for n in range(60)]
    (by,) = intervals(errors, lengths, speakers)
    low, high = plain(errors, lengths, speakers, 2000, 1)
    assert (by.low, by.high) == pytest.approx((low, high), abs=0.6)


def test_95_of_100_intervals_hold_the_true_rate():
    held = 0
    for seed in range(200):
        (found,) = intervals(*corpus(100, 0.1, seed), resamples=500, seed=seed)
        held += found.low <= 10 <= found.high
    assert 178 <= held <= 199


def test_speakers_that_differ_widen_the_interval():
    random = np.random.default_rng(0)
    speakers = np.repeat(np.arange(10), 50)
    errors = random.binomial(10, np.linspace(0, 0.4, 10)[speakers])
    (alone,), (by,) = (intervals(errors, np.full(500, 10), groups) for groups in (None, speakers))
    assert by.high - by.low > 3 * (alone.high - alone.low)


def test_the_seed_decides_and_many_rates_share_their_resamples():
    errors, lengths = corpus()
    pair = intervals(np.stack([errors, 2 * errors], 1), np.stack([lengths, lengths], 1), seed=3)
    assert pair[0] == intervals(errors, lengths, seed=3)[0] != intervals(errors, lengths, seed=4)[0]
    assert pair[1].low == pytest.approx(2 * pair[0].low)


def test_pooled_utterances_have_the_same_interval():
    """More utterances than are drawn one by one; the normal approximation of a ratio is exact enough there."""
    errors, lengths = corpus(30_000, 0.2)
    (found,) = intervals(errors, lengths, resamples=2000)
    rate = errors.sum() / lengths.sum()
    half = 196 * math.sqrt(((errors - rate * lengths) ** 2).sum()) / lengths.sum()
    assert (found.low, found.high) == pytest.approx((100 * rate - half, 100 * rate + half), abs=0.1 * half)


def test_too_little_to_draw_has_no_interval_and_no_words_no_rate():
    (one,) = intervals([1], [4])
    assert one.rate == 25.0
    assert math.isnan(one.low)
    (none,) = intervals([0, 1], [0, 0])
    assert math.isnan(none.rate)
    assert math.isnan(none.high)
    (empty,) = intervals([], [])
    assert math.isnan(empty.rate)


def test_a_paired_comparison_sees_what_two_intervals_cannot():
    random = np.random.default_rng(0)
    lengths = np.full(300, 10)
    first = random.binomial(10, random.beta(0.3, 1.0, 300))
    second = np.maximum(first - (random.random(300) < 0.1), 0)  # a little better, on the same hard utterances
    (a,), (b,) = intervals(first, lengths), intervals(second, lengths)
    assert a.low < b.high
    found = compare(first, second, lengths)
    assert found.difference == pytest.approx(b.rate - a.rate)
    assert found.low < found.difference < found.high < 0
    assert found.improvement > 0.99
    assert compare(second, first, lengths).improvement < 0.01
    assert compare(first, first, lengths).improvement == 0.5


def test_ten_thousand_resamples_of_five_thousand_utterances_take_less_than_a_second():
    errors, lengths = corpus(5000)
    began = time.process_time()  # of this process: other work on the machine does not count
    intervals(errors, lengths)
    assert time.process_time() - began < 1.5  # 0.5 on a Zen 4; the bound leaves room for slower machines


def test_names_become_numbers():
    assert group_numbers(["b", "a", "b"]).tolist() == [0, 1, 0]
