"""Recurrences written out by hand are torch's own: states, gradients, ragged batches, roundings."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from onsei.nn.recurrence import recur
from onsei.nn.rnn import BatchRNN, pack, unpack

KINDS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
SIZES = [[9, 4, 4, 1], [1], [7], [3, 3, 3], [1, 5, 2]]


def layer(kind, bidirectional=True, dtype=torch.float32):
    torch.manual_seed(0)
    return BatchRNN(5, 7, kind, bidirectional=bidirectional, batch_norm=False).to(dtype)


def frames(sizes, dtype=torch.float32):
    x = torch.randn(len(sizes), max(sizes), 5, generator=torch.Generator().manual_seed(1), dtype=dtype)
    return x.requires_grad_()


def summed(rnn, packed):
    """What torch's packed recurrence gives, its directions summed."""
    return rnn(packed)[0].data.unflatten(1, (-1, rnn.hidden_size)).sum(1)


def outcome(network, x, y):
    """Output and gradients for a loss that weighs each frame and unit differently."""
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float32)
    network.zero_grad()
    x.grad = None
    (y * weights).sum().backward()
    return [y.detach(), x.grad, *(p.grad for p in network.parameters())]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("sizes", SIZES)
def test_outputs_and_gradients_are_those_of_the_packed_kernels(kind, bidirectional, sizes):
    network, x = layer(kind, bidirectional), frames(sizes)
    ours = outcome(network, x, network(pack(x, torch.tensor(sizes))).data)
    theirs = outcome(network, x, summed(network.rnn, pack(x, torch.tensor(sizes))))
    assert len(ours) == 2 + (8 if bidirectional else 4)
    for found, want in zip(ours, theirs, strict=True):
        torch.testing.assert_close(found, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", SIZES)
def test_the_kernels_over_padding_give_the_same(kind, sizes):
    """Those that other devices and exports use."""
    network, x, lengths = layer(kind), frames(sizes).detach(), torch.tensor(sizes)
    padded = network.over_padding(x.transpose(0, 1), lengths).transpose(0, 1)
    together = unpack(network(pack(x, lengths)), max(sizes))
    for row, size in enumerate(sizes):
        torch.testing.assert_close(padded[row, :size], together[row, :size])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bidirectional", [True, False])
def test_outputs_without_gradients_are_those_with(kind, bidirectional):
    network, packed = layer(kind, bidirectional), pack(frames([6, 9, 2]).detach(), torch.tensor([6, 9, 2]))
    trained = network(packed).data
    with torch.no_grad():
        torch.testing.assert_close(network(packed).data, trained.detach())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backward", [False, True])
def test_gradients_are_the_slopes_of_the_outputs(kind, backward):
    network, x = layer(kind, dtype=torch.float64), frames([4, 2, 1], torch.float64).detach()
    packed = pack(x, torch.tensor([4, 2, 1]))
    weights = [p.detach().requires_grad_() for p in list(network.parameters())[:4]]
    data = packed.data.requires_grad_()
    assert torch.autograd.gradcheck(lambda x, *w: recur(kind, x, w, packed.batch_sizes, backward), (data, *weights))


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_differs_by_its_rounding(kind):
    sizes = [40, 31, 7]
    network, x = layer(kind), frames(sizes)
    exact = outcome(network, x, network(pack(x, torch.tensor(sizes))).data)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = network(pack(x, torch.tensor(sizes))).data
        assert y.dtype == torch.bfloat16
    rounded = outcome(network, x, y)
    for found, want in zip(rounded, exact, strict=True):
        assert found.isfinite().all()
        assert (found - want).norm() < 0.02 * want.norm()
    assert all(p.grad.dtype == torch.float32 for p in network.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_an_input_that_is_not_trained_gets_no_gradient(kind):
    network, x = layer(kind), frames([3, 2]).detach()
    network(pack(x, torch.tensor([3, 2]))).data.sum().backward()
    assert x.grad is None
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_a_graph_that_is_kept_gives_the_same_gradients_again(kind):
    network, x = layer(kind), frames([6, 2])
    loss = network(pack(x, torch.tensor([6, 2]))).data.square().sum()
    once = torch.autograd.grad(loss, list(network.parameters()), retain_graph=True)
    again = torch.autograd.grad(loss, list(network.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))


def test_items_without_frames_are_refused():
    with pytest.raises(RuntimeError, match="greater than 0"):
        pack(torch.zeros(2, 3, 5), torch.tensor([3, 0]))


def test_an_unsorted_batch_keeps_its_order():
    network, x = layer("gru"), frames([2, 6]).detach()
    together = unpack(network(pack(x, torch.tensor([2, 6]))), 6)
    alone = network(pack_padded_sequence(x[:1, :2], torch.tensor([2]), batch_first=True)).data
    torch.testing.assert_close(together[0, :2], alone)
