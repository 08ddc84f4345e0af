"""Unit metrics against cases worked out by hand, and against scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score, normalized_mutual_info_score

from onsei.data.row import Phone
from onsei.metrics.units import NONE, Token, abx, agreement, collapsed, distance, entropy, frame_phones, use


def test_agreement_by_hand():
    # unit 0: a a b; unit 1: b b b; unit 2: c c
    units, phones = [0, 0, 0, 1, 1, 1, 2, 2], [0, 0, 1, 1, 1, 1, 2, 2]
    found = agreement(units, phones)
    of_phones = -(1 / 4 * math.log2(1 / 4) + 1 / 2 * math.log2(1 / 2) + 1 / 4 * math.log2(1 / 4))  # 1.5 bits
    left = 3 / 8 * -(2 / 3 * math.log2(2 / 3) + 1 / 3 * math.log2(1 / 3))  # only unit 0 leaves a doubt
    assert found.pnmi == pytest.approx((of_phones - left) / of_phones)
    assert found.phone_purity == pytest.approx(7 / 8)
    assert found.cluster_purity == pytest.approx((2 + 3 + 2) / 8)
    assert found.frames == 8


def test_frames_without_a_phone_do_not_count():
    assert agreement([0, 1, 5, 5], [0, 1, NONE, NONE]) == agreement([0, 1], [0, 1])
    assert math.isnan(agreement([0, 1], [NONE, NONE]).pnmi)


def test_units_that_are_phones_are_perfect_and_one_unit_says_nothing():
    phones = np.arange(60) % 7
    assert agreement(phones + 3, phones).pnmi == pytest.approx(1)
    nothing = agreement(np.zeros(60), phones)
    assert nothing.pnmi == pytest.approx(0, abs=1e-9)
    assert nothing.phone_purity == pytest.approx(9 / 60)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4)), min_size=2, max_size=80))
def test_agreement_is_scikit_learns(pairs):
    units, phones = zip(*pairs, strict=True)
    found = agreement(units, phones)
    of_phones = entropy(np.bincount(phones))
    if of_phones:
        assert found.pnmi == pytest.approx(mutual_info_score(phones, units) / math.log(2) / of_phones, abs=1e-9)
        assert found.nmi == pytest.approx(normalized_mutual_info_score(phones, units), abs=1e-9)


def test_use_by_hand():
    found = use([[4, 4, 4, 1], [1, 1, 4, 4]], 0.02)
    assert found.used == 2
    assert found.perplexity == pytest.approx(2 ** entropy([5, 3]))
    assert found.rate == pytest.approx(4 / 0.16)  # 4 1 | 1 4
    assert found.bitrate == pytest.approx(25 * 1.0)
    assert found.duration == pytest.approx(0.04)


def test_repeats_are_taken_together():
    units, lengths = collapsed([7, 7, 0, 0, 0, 7])
    assert (units.tolist(), lengths.tolist()) == ([7, 0, 7], [2, 3, 1])
    assert [x.tolist() for x in collapsed([])] == [[], []]


@given(st.lists(st.integers(0, 3), max_size=30))
def test_collapsed_units_unfold_again(units):
    kept, lengths = collapsed(units)
    assert np.repeat(kept, lengths).tolist() == units
    assert (np.diff(kept) != 0).all()


def test_phones_of_frames_are_those_at_their_middles():
    phones = [Phone("a", 0.0, 0.05), Phone("b", 0.05, 0.1), Phone("a", 0.12, 0.2)]
    numbers = {}
    found = frame_phones(phones, 8, numbers, frame_seconds=0.02, first=0.0125)
    assert numbers == {"a": 0, "b": 1}
    # middles at 12.5, 32.5, 52.5, 72.5, 92.5, 112.5, 132.5, 152.5 ms
    assert found.tolist() == [0, 0, 1, 1, 1, NONE, 0, 0]


def test_distance_by_hand():
    x, y = np.eye(2, dtype=np.float32)  # at a right angle
    assert distance([x, x, y], [x, y]) == pytest.approx(0)  # warped onto each other
    assert distance([x], [y]) == pytest.approx(0.5)
    assert distance([x, x], [y]) == pytest.approx(0.5)  # a mean, not a sum
    assert distance([x], [-x]) == pytest.approx(1)
    # x y against y: one step at a right angle, one without
    assert distance([x, y], [y]) == pytest.approx(0.25)


def test_abx_by_hand():
    x, y = np.eye(2, dtype=np.float32)
    near = [Token(np.array([x]), "a"), Token(np.array([x]), "a"), Token(np.array([y]), "b"), Token(np.array([y]), "b")]
    assert abx(near) == 0
    mixed = [Token(np.array([x]), "a"), Token(np.array([y]), "a"), Token(np.array([x]), "b")]
    # X = x: A = y is 0.5 away, B = x is 0 away: wrong. X = y: A = x and B = x tie. One pair of phones: 0.75
    assert abx(mixed) == pytest.approx(75)
    same = [Token(np.array([x]), phone) for phone in "aabb"]
    assert abx(same) == 50
    assert math.isnan(abx([Token(np.array([x]), "a")]))


def test_abx_compares_within_groups_only():
    x, y = np.eye(2, dtype=np.float32)
    one = [Token(np.array([v]), p, "s1") for v, p in ((x, "a"), (x, "a"), (y, "b"))]
    other = [Token(np.array([v]), p, "s2") for v, p in ((y, "a"), (y, "a"), (x, "b"))]
    assert abx([*one, *other]) == 0
    assert abx([Token(t.features, t.phone) for t in (*one, *other)]) > 0
