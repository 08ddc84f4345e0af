"""``update`` takes the gradients of one name, and all updated optimizers step together."""

import pytest
import torch
from torch import nn

from onsei.errors import RunError
from onsei.training.gradients import Gradients, _buckets
from onsei.training.processes import Processes
from tests.training.toys import Gan, Source


@pytest.fixture(name="processes", scope="module")
def fixture_processes():
    return Processes("cpu")


def batch():
    return next(Source().batches(0))


def gradients_of(module):
    return [None if p.grad is None else p.grad.clone() for p in module.parameters()]


def test_update_of_one_name_leaves_the_other_names_gradients_alone(processes):
    gan = Gan()
    gradients = Gradients(gan.optimizers, processes)
    gradients.open()
    before = {}

    def watched(name, loss):
        if name == "generator":
            before["critic"] = gradients_of(gan.critic)
            assert gradients_of(gan.generator) == [None] * 4
        update(name, loss)

    update = gradients.take(1.0)
    gan.step(batch(), None, watched)
    after = gradients_of(gan.critic)
    assert all(torch.equal(a, b) for a, b in zip(before["critic"], after, strict=True))
    assert all(g is not None and g.abs().sum() > 0 for g in gradients_of(gan.generator))
    assert gradients_of(gan.unused) == [None, None]


def test_nothing_moves_before_the_window_closes_and_then_all_updated_move(processes):
    gan = Gan()
    gradients = Gradients(gan.optimizers, processes)
    before = {name: [p.clone() for p in module.parameters()] for name, module in gan.modules.items()}
    gradients.open()
    for _ in range(2):
        gan.step(batch(), None, gradients.take(0.5))
    for name, module in gan.modules.items():
        assert all(torch.equal(a, b) for a, b in zip(before[name], module.parameters(), strict=True))
    outcome = gradients.close()
    assert list(outcome.norms) == ["critic", "generator"]
    for name in ("critic", "generator"):
        assert not any(torch.equal(a, b) for a, b in zip(before[name], gan.modules[name].parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(before["unused"], gan.unused.parameters(), strict=True))


def test_a_name_that_was_not_updated_does_not_step(processes):
    gan = Gan()
    gradients = Gradients(gan.optimizers, processes)
    gradients.open()
    gan.step(batch(), None, lambda name, loss: gradients.take(1.0)(name, loss) if name == "critic" else None)
    assert list(gradients.close().norms) == ["critic"]
    assert not gan.optimizers["generator"].state


def test_one_bad_name_holds_back_all_steps_of_the_window(processes):
    gan = Gan()
    before = [p.clone() for p in gan.generator.parameters()]
    gradients = Gradients(gan.optimizers, processes)
    gradients.open()
    bad = {"critic": float("inf"), "generator": 1.0}
    gan.step(batch(), None, lambda name, loss: gradients.take(1.0)(name, loss * bad[name]))
    assert gradients.close().skipped
    assert all(torch.equal(a, b) for a, b in zip(before, gan.generator.parameters(), strict=True))


def test_an_unknown_name_is_told_with_the_known_ones(processes):
    gradients = Gradients(Gan().optimizers, processes)
    with pytest.raises(ValueError, match="no such optimizer; it has critic, generator"):
        gradients.take(1.0)("decoder", torch.zeros((), requires_grad=True))


def test_a_parameter_of_two_optimizers_is_refused(processes):
    layer = nn.Linear(2, 2)
    optimizers = {name: torch.optim.SGD(layer.parameters(), lr=1.0) for name in ("a", "b")}
    with pytest.raises(RunError, match="'a' and 'b' share a parameter of shape"):
        Gradients(optimizers, processes)


def test_frozen_parameters_get_no_gradient(processes):
    layer = nn.Linear(2, 2)
    layer.bias.requires_grad = False
    gradients = Gradients({"a": torch.optim.SGD(layer.parameters(), lr=1.0)}, processes)
    gradients.open()
    gradients.take(1.0)("a", layer(torch.ones(1, 2)).sum())
    assert not gradients.close().skipped
    assert layer.bias.grad is None


def test_buckets_hold_one_type_each_and_all_gradients_in_order(monkeypatch):
    monkeypatch.setattr("onsei.training.gradients.BUCKET_BYTES", 40)
    grads = [
        torch.zeros(n, dtype=t)
        for n, t in [(4, torch.float32), (8, torch.float32), (2, torch.float32), (3, torch.float64)]
    ]
    found = list(_buckets(grads))
    assert [len(bucket) for bucket in found] == [2, 1, 1]
    assert [id(g) for bucket in found for g in bucket] == [id(g) for g in grads]
    assert list(_buckets([])) == []


@pytest.fixture(name="scaled")
def fixture_scaled():
    """Processes with a loss scale, as fp16 has on a GPU."""
    processes = Processes("cpu")
    processes.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    return processes


def test_a_loss_scale_changes_nothing_but_the_numbers_range(processes, scaled):
    results = []
    for one in (processes, scaled):
        gan = Gan()
        gradients = Gradients(gan.optimizers, one, max_norm=0.5)
        gradients.open()
        gan.step(batch(), None, gradients.take(1.0))
        results.append((gradients.close(), [p.detach().clone() for p in gan.generator.parameters()]))
    assert results[0][0].norms == pytest.approx(results[1][0].norms)
    for a, b in zip(results[0][1], results[1][1], strict=True):
        torch.testing.assert_close(a, b)


def test_an_overflow_skips_the_step_and_lowers_the_scale(scaled):
    gan = Gan()
    gradients = Gradients(gan.optimizers, scaled)
    gradients.open()
    gan.step(batch(), None, lambda name, loss: gradients.take(1.0)(name, loss * 1e36))
    outcome = gradients.close()
    assert outcome.skipped
    assert outcome.overflow  # the scale's fault, not the rows'
    assert scaled.scaler.get_scale() == 512.0


def test_a_loss_that_is_no_number_is_not_taken_for_an_overflow_and_its_batch_is_told(scaled):
    gan = Gan()
    gradients = Gradients(gan.optimizers, scaled)
    gradients.open()
    for factor in (1.0, float("nan")):
        update = gradients.take(0.5)
        gan.step(batch(), None, lambda name, loss, update=update, factor=factor: update(name, loss * factor))
    outcome = gradients.close()
    assert outcome.skipped
    assert not outcome.overflow
    assert outcome.bad == (1,)


def test_overflows_under_the_lowest_scale_are_the_gradients_own(scaled):
    gan = Gan()
    gradients = Gradients(gan.optimizers, scaled)
    scaled.scaler.update(1.0)
    gradients.open()
    gan.step(batch(), None, lambda name, loss: gradients.take(1.0)(name, (loss - loss.detach()).abs().sqrt()))
    outcome = gradients.close()
    assert outcome.skipped
    assert not outcome.overflow


def test_a_window_without_batches_leaves_the_scale_alone(scaled):
    gradients = Gradients(Gan().optimizers, scaled)
    gradients.open()
    assert not gradients.close().norms
    assert scaled.scaler.get_scale() == 1024.0


def test_two_losses_go_back_through_one_graph_where_the_first_is_kept(processes):
    gan = Gan()
    gradients = Gradients(gan.optimizers, processes)
    rows = batch()

    def losses():
        made = gan.generator(rows.x)
        judged = gan.critic(torch.cat([rows.x, made], 1))
        return judged.square().mean(), (1 - judged).square().mean()

    expected = [
        torch.autograd.grad(losses()[0], list(gan.critic.parameters())),
        torch.autograd.grad(losses()[1], list(gan.generator.parameters())),
    ]
    gradients.open()
    update = gradients.take(1.0)
    critic, generator = losses()
    update("critic", critic, keep=True)
    update("generator", generator)
    for module, wanted in zip((gan.critic, gan.generator), expected, strict=True):
        assert all(torch.allclose(p.grad, g) for p, g in zip(module.parameters(), wanted, strict=True))


def test_without_keep_the_graph_goes_with_its_first_loss(processes):
    gan = Gan()
    update = Gradients(gan.optimizers, processes).take(1.0)
    judged = gan.critic(torch.cat([batch().x, gan.generator(batch().x)], 1))
    update("critic", judged.square().mean())
    with pytest.raises(RuntimeError, match="second time"):
        update("generator", judged.mean())
