"""Muon: matrices are turned, the rest is AdamW's, and it goes on from a state as if it had never stopped."""

import copy

import pytest
import torch
from torch import nn

from onsei.training.muon import Muon, orthogonal, parts_of


@pytest.mark.parametrize("shape", [(8, 8), (5, 20), (24, 6)])
def test_singular_values_come_near_one(shape):
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonal(torch.randn(shape) * 3))
    assert values.min() > 0.3
    assert values.max() < 1.3


def test_what_is_no_matrix_is_changed_as_by_adamw():
    torch.manual_seed(0)
    ours, theirs = (nn.Linear(4, 3) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    groups = [{"params": list(ours.parameters()), "lr": 1e-2, "weight_decay": 0.1}]
    one, other = Muon(groups), torch.optim.AdamW(theirs.parameters(), 1e-2, (0.9, 0.98), weight_decay=0.1)
    for _ in range(5):
        x = torch.randn(7, 4)
        for net, optimizer in ((ours, one), (theirs, other)):
            optimizer.zero_grad()
            net(x).square().mean().backward()
            optimizer.step()
    torch.testing.assert_close(ours.weight, theirs.weight)
    torch.testing.assert_close(ours.bias, theirs.bias)


def test_stacked_matrices_are_turned_one_by_one():
    torch.manual_seed(0)
    weight, parts = nn.Parameter(torch.zeros(12, 4)), [nn.Parameter(torch.zeros(4, 4)) for _ in range(3)]
    gradient = torch.randn(12, 4) * torch.tensor([100.0, 1, 1]).repeat_interleave(4)[:, None]
    weight.grad = gradient.clone()
    for part, piece in zip(parts, gradient.chunk(3), strict=True):
        part.grad = piece.clone()
    Muon([{"params": [weight], "parts": 3}]).step()
    Muon([{"params": parts, "parts": 1}]).step()
    torch.testing.assert_close(weight.data, torch.cat([part.data for part in parts]))


def test_kernels_are_matrices_too_and_what_has_no_gradient_stays():
    layer, still = nn.Conv1d(6, 8, 5), nn.Linear(3, 3)
    before, kept = layer.weight.detach().clone(), still.weight.detach().clone()
    layer(torch.randn(2, 6, 9)).square().mean().backward()
    Muon([{"params": [layer.weight, still.weight], "parts": 1, "lr": 1e-2}]).step()
    change = (layer.weight.detach() - before).flatten(1)
    assert torch.linalg.svdvals(change).min() > 0
    assert torch.equal(still.weight, kept)


def test_names_tell_how_many_matrices_there_are():
    net = nn.ModuleDict({"recurrence": nn.GRU(8, 8), "memory": nn.LSTM(8, 8), "attention": nn.MultiheadAttention(8, 2),
                         "table": nn.Linear(8, 16), "embedding": nn.Embedding(9, 8)})  # fmt: skip
    found = {name: parts_of(name, weight) for name, weight in net.named_parameters()}
    assert found["recurrence.weight_hh_l0"] == 3
    assert found["memory.weight_ih_l0"] == 4
    assert found["attention.in_proj_weight"] == 3
    assert found["table.weight"] == 1
    assert found["embedding.weight"] == found["table.bias"] == 0


def test_it_goes_on_from_its_state():
    torch.manual_seed(0)
    net = nn.Linear(5, 5)
    other = copy.deepcopy(net)

    def groups(module):
        return [{"params": [module.weight], "parts": 1}, {"params": [module.bias]}]

    one, two = Muon(groups(net)), Muon(groups(other))
    xs = [torch.randn(6, 5) for _ in range(6)]

    def learn(module, optimizer, x):
        optimizer.zero_grad()
        module(x).square().mean().backward()
        optimizer.step()

    for x in xs:
        learn(net, one, x)
    for x in xs[:3]:
        learn(other, two, x)
    fresh = Muon(groups(other))
    fresh.load_state_dict(copy.deepcopy(two.state_dict()))
    for x in xs[3:]:
        learn(other, fresh, x)
    assert torch.equal(net.weight, other.weight)
    assert torch.equal(net.bias, other.bias)
