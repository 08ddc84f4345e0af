"""Learning rates are pure functions of where the run stands."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.training.clock import Standing
from onsei.training.schedule import Position, Rates, Schedule

SHAPES = ("constant", "anneal", "cosine", "linear", "plateau")


def at(step, total=100, epoch=0):
    return Position(step, epoch, step / total, total)


@given(st.sampled_from(SHAPES), st.integers(0, 200), st.integers(0, 99), st.floats(0, 1))
def test_the_factor_stays_between_0_and_1(shape, warmup, step, floor):
    assert 0 <= Schedule(shape, warmup, 1.1, floor).factor(at(step)) <= 1


@pytest.mark.parametrize("shape", SHAPES)
def test_warmup_rises_in_equal_steps_to_the_full_rate(shape):
    schedule = Schedule(shape, warmup_steps=10)
    assert schedule.factor(at(0)) == pytest.approx(0.1)
    assert schedule.factor(at(4)) == pytest.approx(0.5)
    assert schedule.factor(at(10)) == pytest.approx(1.0)


def test_linear_falls_in_a_straight_line_from_the_end_of_the_warmup():
    schedule = Schedule("linear", warmup_steps=20)
    assert schedule.factor(at(60)) == pytest.approx(0.5)
    assert schedule.factor(at(99)) == pytest.approx(1 / 80)


def test_cosine_falls_as_half_a_cosine_to_the_floor():
    schedule = Schedule("cosine", floor=0.2)
    assert schedule.factor(at(50)) == pytest.approx(0.6)
    assert schedule.factor(at(25)) == pytest.approx(0.2 + 0.8 * (1 + math.sqrt(0.5)) / 2)
    assert schedule.factor(at(100)) == pytest.approx(0.2)


def test_anneal_divides_once_an_epoch():
    schedule = Schedule("anneal", learning_anneal=1.1)
    assert schedule.factor(at(50, epoch=0)) == 1
    assert schedule.factor(at(50, epoch=3)) == pytest.approx(1.1**-3)


def test_rates_keep_the_proportions_of_an_optimizers_groups():
    parts = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    optimizer = torch.optim.SGD([{"params": parts[:1], "lr": 0.1}, {"params": parts[1:], "lr": 0.01}])
    rates = Rates({"a": optimizer}, {"a": Schedule("linear")})
    assert rates.set(at(50)) == {"a": pytest.approx(0.05)}
    assert [group["lr"] for group in optimizer.param_groups] == [pytest.approx(0.05), pytest.approx(0.005)]
    rates.set(at(0))
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.01]


def test_a_plateau_lowers_the_rate_down_to_the_floor():
    schedule = Schedule("plateau", floor=0.1, plateau_factor=0.5)
    factors = [schedule.factor(Position(50, 0, 0.5, 100, lowered=n)) for n in range(5)]
    assert factors == pytest.approx([1, 0.5, 0.25, 0.125, 0.1])


@settings(deadline=None)
@given(st.lists(st.sampled_from([1.0, 2.0, 3.0, float("nan")]), max_size=30), st.integers(0, 4))
def test_plateaus_are_those_of_torch(losses, patience):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=patience, threshold=0.0, eps=0.0
    )
    standing = Standing("")
    for loss in losses:
        standing = standing.judged({"val/loss": loss}, "val/loss", "min", patience)
        theirs.step(loss)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.5**standing.lowered)
