"""Measures of classifiers, against scikit-learn, brute force and worked examples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.errors import DataError
from onsei.metrics.classification import (
    CalibrationMeter,
    Pair,
    confused,
    confusion,
    intervals,
    macro_f1,
    per_class,
    wilson,
)

metrics = pytest.importorskip("sklearn.metrics")
PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60)


@settings(max_examples=60, deadline=None)
@given(PAIRS)
def test_rates_are_those_of_scikit_learn(pairs):
    truths, guesses = (np.array(column) for column in zip(*pairs, strict=True))
    matrix = confusion(truths, guesses, 5)
    assert np.array_equal(matrix, metrics.confusion_matrix(truths, guesses, labels=range(5)))
    assert macro_f1(matrix) == pytest.approx(100 * metrics.f1_score(truths, guesses, average="macro", zero_division=0))
    found = per_class(matrix)
    precision, recall, f1, clips = metrics.precision_recall_fscore_support(
        truths, guesses, labels=range(5), zero_division=np.nan
    )
    assert np.allclose(found.precision, 100 * precision, equal_nan=True)
    assert np.allclose(found.recall, 100 * recall, equal_nan=True)
    there = (found.clips + found.guessed) > 0
    assert np.allclose(found.f1[there], 100 * np.nan_to_num(f1)[there])
    assert np.isnan(found.f1[~there]).all()
    assert np.array_equal(found.clips, clips)
    accuracy, f1_interval = intervals(matrix, resamples=50)
    assert accuracy.rate == pytest.approx(100 * (truths == guesses).mean())
    assert accuracy.low <= accuracy.rate <= accuracy.high
    assert f1_interval.low <= f1_interval.high


@pytest.mark.parametrize(("right", "total"), [(83, 100), (10, 10), (0, 7), (1, 2), (499, 500)])
def test_wilsons_interval_is_scipys(right, total):
    stats = pytest.importorskip("scipy.stats")
    theirs = stats.binomtest(right, total).proportion_ci(method="wilson")
    found = wilson(right, total)
    assert (found.low, found.high) == pytest.approx((100 * theirs.low, 100 * theirs.high), abs=1e-6)
    assert found.rate == pytest.approx(100 * right / total)


def test_the_bootstrap_of_f1_is_that_of_clips_drawn_one_by_one():
    random = np.random.default_rng(1)
    truths = random.integers(0, 3, 120)
    guesses = np.where(random.random(120) < 0.7, truths, random.integers(0, 3, 120))
    _, found = intervals(confusion(truths, guesses, 3), resamples=4000)
    drawn = []
    for _ in range(1500):
        chosen = random.integers(0, 120, 120)
        drawn.append(macro_f1(confusion(truths[chosen], guesses[chosen], 3)))
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert found.low == pytest.approx(low, abs=1.2)
    assert found.high == pytest.approx(high, abs=1.2)


def test_groups_are_drawn_whole_so_clips_of_one_recording_do_not_narrow_the_interval():
    right, wrong = {(0, 0): 10, (1, 1): 10}, {(0, 1): 10, (1, 0): 10}
    parts = [right] * 12 + [wrong] * 8
    matrix = np.array([[120, 80], [80, 120]])
    (clips, _), (groups, f1) = intervals(matrix), intervals(matrix, parts)
    assert clips.rate == groups.rate == 60
    assert groups.high - groups.low > 3 * (clips.high - clips.low)
    assert groups.low < 45 < 75 < groups.high
    assert f1.rate == pytest.approx(60)
    (one, _) = intervals(matrix, [{(0, 0): 120, (1, 1): 120, (0, 1): 80, (1, 0): 80}])
    assert one.rate == 60
    assert np.isnan(one.low)


def test_pairs_are_counted_both_ways_and_only_where_confused():
    matrix = np.array([[9, 1, 0], [3, 7, 0], [2, 0, 5]])
    assert confused(matrix) == [Pair(0, 1, 1, 3), Pair(0, 2, 0, 2)]
    assert confused(matrix, 1) == [Pair(0, 1, 1, 3)]
    assert confused(np.eye(3, dtype=np.int64)) == []


def test_calibration_is_the_mean_gap_between_confidence_and_accuracy():
    meter = CalibrationMeter(bins=2)
    meter.add([0.9, 0.8, 0.7], [True, True, False])
    meter.add([0.3], [True])
    found = meter.calibration()
    assert found.clips.tolist() == [1, 3]
    assert found.accuracy.tolist() == pytest.approx([1.0, 2 / 3])
    assert found.error == pytest.approx(100 * (3 * abs(0.8 - 2 / 3) + 0.7) / 4)
    assert found.largest_error == pytest.approx(70)


def test_a_well_calibrated_classifier_has_a_small_error_and_an_overconfident_one_a_large():
    random = np.random.default_rng(0)
    sure = random.uniform(0.1, 1, 20_000)
    honest, boasting = CalibrationMeter(), CalibrationMeter()
    honest.add(sure, random.random(20_000) < sure)
    boasting.add(sure, random.random(20_000) < sure / 2)
    assert honest.calibration().error < 1.5
    assert boasting.calibration().error == pytest.approx(50 * sure.mean(), abs=2)


def test_nothing_measured_is_told_as_nothing():
    empty = np.zeros((3, 3), np.int64)
    accuracy, f1 = intervals(empty)
    assert np.isnan(
        [wilson(0, 0).rate, accuracy.rate, f1.rate, macro_f1(empty), CalibrationMeter().calibration().error]
    ).all()


@pytest.mark.parametrize(
    ("truths", "guesses", "words"), [([0, 1], [0], "2 classes and 1"), ([0, 3], [0, 0], "0 to 2"), ([-1], [0], "-1")]
)
def test_numbers_that_are_no_classes_are_refused(truths, guesses, words):
    with pytest.raises(DataError, match=words):
        confusion(truths, guesses, 3)


@pytest.mark.parametrize("wrong", [1.5, -0.1, float("nan")])
def test_confidences_that_are_no_probabilities_are_refused(wrong):
    with pytest.raises(DataError, match="from 0 to 1"):
        CalibrationMeter().add([wrong], [True])
