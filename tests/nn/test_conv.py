"""Masked convolutions: padding changes neither what they give nor how they learn."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import pad

from onsei.nn.conv import MaskedConv

FRAMES = 24


def network(memory: torch.memory_format) -> MaskedConv:
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(1, 6, 3, 2, 1, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Conv2d(6, 8, 3, (2, 1), 1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
    )
    return MaskedConv(layers.to(memory_format=memory))  # type: ignore[call-overload]


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_padding_changes_neither_outputs_nor_gradients(memory: torch.memory_format) -> None:
    """Channels last too: there, torch's batch norm has given wrong gradients while its outputs were right."""
    convs = network(memory).double().train()
    x, lengths = torch.randn(5, 1, 10, FRAMES, dtype=torch.float64), torch.full((5,), FRAMES)
    alone = convs.seq_module(x.contiguous(memory_format=memory))
    wanted = torch.randn_like(alone)
    (alone * wanted).sum().backward()
    expected = {
        name: parameter.grad.clone() for name, parameter in convs.named_parameters() if parameter.grad is not None
    }
    convs.zero_grad()

    padded, _ = convs(pad(x, (0, 6)), lengths)
    sound = padded[..., : alone.size(-1)]
    (sound * wanted).sum().backward()

    torch.testing.assert_close(sound, alone)
    assert len(expected) == 6
    for name, parameter in convs.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name])


def test_padding_stays_zero() -> None:
    convs = network(torch.channels_last).train()
    lengths = torch.tensor([FRAMES, 9])
    made, frames = convs(torch.randn(2, 1, 10, FRAMES), lengths)
    assert frames.tolist() == [12, 5]
    assert not made[1, ..., 5:].any()
    assert made[0, ..., 5:].any()
