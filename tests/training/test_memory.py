"""The memory estimate counts what will be needed, and leaves the run as it was."""

import pytest
import torch
from torch import nn

from onsei.training import memory
from onsei.training.learner import Clock
from onsei.training.processes import Processes
from tests.training.toys import Batch, Regression, Source, fit, metrics

CLOCK = Clock(0, 0, 0)


@pytest.fixture(name="processes", scope="module")
def fixture_processes():
    return Processes("cpu")


class Wide(Regression):
    """One hidden layer of 1000 units: a batch of B keeps the input and the hidden units before and after the tanh."""

    def __init__(self):
        super().__init__()
        network = nn.Sequential(nn.Linear(4, 1000), nn.Tanh(), nn.Linear(1000, 1))
        self.modules = {"net": network}
        self.optimizers = {"net": torch.optim.AdamW(network.parameters())}


def batch(size):
    return Batch(torch.randn(size, 4), torch.randn(size, 1))


def test_weights_gradients_and_optimizer_are_counted_in_full(processes):
    found = memory.estimate(Wide(), batch(1), CLOCK, processes)
    assert found.weights == found.gradients == 4 * (4 * 1000 + 1000 + 1000 + 1)
    assert found.optimizers == 2 * found.weights


def test_activations_grow_with_the_batch_and_weights_are_not_among_them(processes):
    one, many = (memory.estimate(Wide(), batch(size), CLOCK, processes).activations for size in (1, 100))
    assert one < 4 * 2000
    assert 100 * 4 * 1000 <= many <= 1.1 * 100 * 4 * 1000  # the tanh's output, once; input and output are small


def test_graphs_that_are_gone_are_not_counted_together(processes):
    class Twice(Wide):
        def step(self, batch, clock, update):
            super().step(batch, clock, update)
            return super().step(batch, clock, update)

    once, twice = (memory.estimate(made, batch(100), CLOCK, processes).activations for made in (Wide(), Twice()))
    assert twice == once


@pytest.mark.parametrize(
    ("make", "copies"),
    [
        (lambda p: torch.optim.SGD(p, lr=1), 0),
        (lambda p: torch.optim.SGD(p, lr=1, momentum=0.9), 1),
        (lambda p: torch.optim.Adam(p, amsgrad=True), 3),
        (lambda p: torch.optim.RMSprop(p), 1),
        (lambda p: torch.optim.Adagrad(p), 1),
    ],
)
def test_optimizers_are_counted_before_their_first_step_as_after(processes, make, copies):
    learner = Wide()
    learner.optimizers = {"net": make(learner.modules["net"].parameters())}
    before = memory.estimate(learner, batch(1), CLOCK, processes)
    assert 0 <= before.optimizers - copies * before.weights <= 100  # some have their state from the start
    learner.modules["net"](torch.ones(1, 4)).sum().backward()
    learner.optimizers["net"].step()
    after = memory.estimate(learner, batch(1), CLOCK, processes).optimizers
    assert before.optimizers <= after <= before.optimizers + 100  # and counters of steps


def test_frozen_weights_need_no_gradient(processes):
    learner = Wide()
    learner.modules["net"][0].requires_grad_(False)
    assert memory.estimate(learner, batch(1), CLOCK, processes).gradients == 4 * 1001


def test_the_estimate_leaves_the_run_bitwise_unchanged(tmp_path, capsys):
    for name, wanted in (("with", True), ("without", False)):
        learner = Regression(norm=True, dropout=0.3)
        fit(tmp_path / name, learner, epochs=1, estimate_memory=wanted, silent=False)
        assert ("memory per process" in capsys.readouterr().err) is wanted
        assert learner.state["seen"] == 26
    assert metrics(tmp_path / "with") == metrics(tmp_path / "without")


def test_a_run_that_will_not_fit_is_warned_even_in_silence(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(memory, "_free_bytes", lambda processes: 100)
    fit(tmp_path, epochs=1)
    assert "this will hardly fit: lower --batch-seconds" in capsys.readouterr().err.replace("\n", " ")


def test_the_largest_batch_is_measured_where_the_source_can_show_it(tmp_path, capsys):
    class Showing(Source):
        def largest(self, epoch):
            return batch(500)

    fit(tmp_path / "a", train=Showing(), epochs=1, silent=False)
    assert "(largest batch)" in capsys.readouterr().err.replace("\n", "")
    fit(tmp_path / "b", epochs=1, silent=False)
    assert "(first batch; larger ones need more)" in capsys.readouterr().err.replace("\n", "")


def test_what_is_frozen_at_first_counts_as_trained(tmp_path, capsys):
    class Thawing(Wide):
        def step(self, batch, clock, update):
            self.modules["net"][0].requires_grad_(clock.step > 0)
            return super().step(batch, clock, update)

    told = {}
    for name, kind in (("thawing", Thawing), ("wide", Wide)):
        fit(tmp_path / name, kind(), epochs=1, silent=False)
        (told[name],) = [line for line in capsys.readouterr().err.splitlines() if "memory per process" in line]
    assert told["thawing"].split("free")[0] == told["wide"].split("free")[0]
