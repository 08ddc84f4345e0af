"""Masked convolutions and packed recurrence: padding changes nothing, whatever the network's state."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from onsei.errors import ConfigError
from onsei.nn.conv import MaskedConv, conv_lengths
from onsei.nn.device import pick_device
from onsei.nn.masks import length_mask
from onsei.nn.rnn import BatchRNN, FrameWise, Lookahead, pack, unpack


def conv(**options):
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(1, 3, (5, 11), stride=(2, 2), padding=(2, 5)), nn.BatchNorm2d(3), nn.ReLU())
    return MaskedConv(layers, **options)


@given(st.integers(1, 40), st.integers(1, 3), st.sampled_from([3, 5, 11]))
def test_lengths_are_those_of_the_convolution(frames, stride, kernel):
    layer = nn.Conv2d(1, 1, (1, kernel), stride=(1, stride), padding=(0, kernel // 2))
    assert layer(torch.zeros(1, 1, 1, frames)).size(-1) == int(conv_lengths(torch.tensor([frames]), layer)[0])


def test_mask():
    assert length_mask(torch.tensor([0, 2]), 3).tolist() == [[False] * 3, [True, True, False]]


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(4, 30), min_size=2, max_size=4), st.booleans())
def test_training_statistics_come_from_sound_only(lengths, noisy):
    """A batch with padding trains as its frames do without: statistics, outputs and gradients."""
    torch.manual_seed(len(lengths))
    sizes = torch.tensor(lengths)
    x = torch.randn(len(lengths), 1, 8, max(lengths))
    clean = x * length_mask(sizes, max(lengths))[:, None, None]
    padded = torch.cat([clean, torch.full((len(lengths), 1, 8, 7), 99.0 * noisy)], -1)
    first, second = conv(), conv()
    y1, n1 = first(clean, sizes)
    y2, n2 = second(padded, sizes)
    assert n1.tolist() == n2.tolist()
    torch.testing.assert_close(y1, y2[..., : y1.size(-1)], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(first.seq_module[1].running_var, second.seq_module[1].running_var)


def test_counting_padding_is_the_plain_batch_norm():
    sizes = torch.tensor([20, 6])
    x = torch.randn(2, 1, 8, 20) * length_mask(sizes, 20)[:, None, None]
    masked, plain = conv(count_padding=True), conv()
    y, _ = masked(x, sizes)
    with torch.no_grad():
        h = plain.seq_module[0](x) * length_mask(torch.tensor([10, 3]), 10)[:, None, None]
        want = plain.seq_module[1](h).relu() * length_mask(torch.tensor([10, 3]), 10)[:, None, None]
    torch.testing.assert_close(y, want)
    assert not torch.allclose(masked.seq_module[1].running_mean, conv_trained(x, sizes).seq_module[1].running_mean)


def conv_trained(x, sizes):
    network = conv()
    network(x, sizes)
    return network


@pytest.mark.parametrize("kind", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_directions_are_summed_and_padding_is_not_read(kind, bidirectional):
    torch.manual_seed(0)
    layer = BatchRNN(5, 7, kind, bidirectional=bidirectional, batch_norm=False)
    x, sizes = torch.randn(2, 9, 5), torch.tensor([9, 4])
    y = unpack(layer(pack(x, sizes)), 9)
    alone = layer.rnn(x[1:, :4].transpose(0, 1))[0].transpose(0, 1)
    want = alone.reshape(1, 4, -1, 7).sum(2)
    torch.testing.assert_close(y[1:, :4], want)
    assert not y[1, 4:].any()


def test_framewise_norm_sees_padding_only_when_told():
    x, sizes = torch.randn(2, 6, 3) + 5, torch.tensor([6, 2])
    for counted in (False, True):
        norm = nn.BatchNorm1d(3, momentum=1.0)
        FrameWise(norm, counted)(pack(x, sizes))
        frames = torch.cat([x[0], x[1, :2]] + ([torch.zeros(4, 3)] if counted else []))
        torch.testing.assert_close(norm.running_mean, frames.mean(0))


def test_lookahead_sees_the_future_and_not_the_past():
    layer = Lookahead(2, 3)
    x = torch.zeros(1, 8, 2)
    x[0, 5] = 1
    assert layer(x)[0].abs().sum(-1).nonzero().flatten().tolist() == [3, 4, 5]


@pytest.mark.parametrize("name", ["gpu", "cuda:99", ""])
def test_a_device_that_is_not_there_is_named(name):
    with pytest.raises(ConfigError, match="device"):
        pick_device(name)
