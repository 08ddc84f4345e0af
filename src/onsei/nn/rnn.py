"""Recurrent layers over packed sequences: summed directions, batch norm over frames, look-ahead.

B batch, T frames, N frames of all items together, H units.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from onsei.nn.recurrence import recur

RNNType = Literal["rnn", "gru", "lstm"]
_KINDS: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class FrameWise(nn.Module):
    """Applies a module of (N, H) to each frame of a packed sequence, so that padding costs nothing and counts nothing.

    Args:
        module: maps (N, H) to (N, H').
        count_padding: in training, show the module the padding too (zeros), as an unpacked network would.
    """

    def __init__(self, module: nn.Module, count_padding: bool = False) -> None:
        super().__init__()
        self.module = module
        self.count_padding = count_padding

    def forward(self, x: PackedSequence) -> PackedSequence:
        """Apply to every frame of x."""
        if self.count_padding and self.training:
            padded, lengths = pad_packed_sequence(x, batch_first=True)  # (B, T, H)
            y = self.module(padded.flatten(0, 1)).view(*padded.shape[:2], -1)
            packed = pack_padded_sequence(y, lengths, batch_first=True, enforce_sorted=False)
            return like(x, packed.data)
        return like(x, self.module(x.data))


class BatchRNN(nn.Module):
    """Batch norm, then a recurrent layer whose two directions are summed (Amodei et al. 2016, sections 3.2 and 3.3).

    Args:
        input_size: width of the input.
        hidden_size: width of the output, H.
        kind: ``rnn`` (tanh), ``gru`` or ``lstm``.
        bidirectional: read backward too.
        batch_norm: normalize the input over frames.
        dropout: of the normalized input.
        count_padding: see ``FrameWise``.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        kind: RNNType = "gru",
        *,
        bidirectional: bool = True,
        batch_norm: bool = True,
        dropout: float = 0.0,
        count_padding: bool = False,
    ) -> None:
        super().__init__()
        self.batch_norm = FrameWise(nn.BatchNorm1d(input_size), count_padding) if batch_norm else None
        self.dropout = dropout
        self.kind: RNNType = kind
        self.rnn = _KINDS[kind](input_size, hidden_size, bidirectional=bidirectional, bias=True)

    def forward(self, x: PackedSequence) -> PackedSequence:
        """Map frames of ``input_size`` to frames of ``hidden_size``."""
        if self.batch_norm is not None:
            x = self.batch_norm(x)
        if self.dropout:
            x = like(x, torch.dropout(x.data, self.dropout, self.training))
        on_cpu = x.data.device.type == "cpu"
        if on_cpu and torch.is_grad_enabled():
            y = recur(self.kind, x.data, self._weights(), x.batch_sizes)
            if self.rnn.bidirectional:
                y = y + recur(self.kind, x.data, self._weights("_reverse"), x.batch_sizes, backward=True)
            return like(x, y)
        if on_cpu or x.data.is_cuda:  # torch's packed kernels, which on a CPU are slow in the backward pass only
            both: PackedSequence = self.rnn(x)[0]
            return like(x, both.data.view(len(both.data), -1, self.rnn.hidden_size).sum(1))
        padded, lengths = pad_packed_sequence(x)  # (T, B, H)
        return like(x, pack_padded_sequence(self.over_padding(padded, lengths), lengths, enforce_sorted=False).data)

    def over_padding(self, x: Tensor, lengths: Tensor) -> Tensor:
        """The recurrent layer alone, over padded x, (T, B, I), of ``lengths`` frames, (B,): (T, B, H).

        One direction after the other, by torch's own kernels: for devices that have no packed ones, and for export.
        What it gives for padding means nothing.
        """
        y = self._direction(x, "")
        if self.rnn.bidirectional:
            order = _reversal(lengths.to(x.device), x.size(0))
            y = y + _along(self._direction(_along(x, order), "_reverse"), order)
        return y

    def _direction(self, x: Tensor, suffix: str) -> Tensor:
        """One direction over x, (T, B, I), from its first frame on; padding at the end changes no frame before it."""
        state = x.new_zeros(1, x.size(1), self.rnn.hidden_size)
        # input, state, weights, biases, layers, dropout, training, bidirectional, batch first
        rest = (self._weights(suffix), True, 1, 0.0, self.training, False, False)
        if self.kind == "lstm":
            y: Tensor = torch.lstm(x, (state, state), *rest)[0]
            return y
        return (torch.gru if self.kind == "gru" else torch.rnn_tanh)(x, state, *rest)[0]

    def _weights(self, suffix: str = "") -> list[Tensor]:
        names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        return [getattr(self.rnn, name + suffix) for name in names]


def _reversal(lengths: Tensor, size: int) -> Tensor:
    """For each item the frames of its sound backward, its padding as it is: (T, B)."""
    steps = torch.arange(size, device=lengths.device)[:, None]
    return torch.where(steps < lengths, lengths - 1 - steps, steps)


def _along(x: Tensor, order: Tensor) -> Tensor:
    """Frames of x, (T, B, H), in another order, (T, B)."""
    return x.gather(0, order[..., None].expand_as(x))


class DroppedLinear(nn.Linear):
    """A linear layer without bias whose input is dropped out in training; its parameters are those of ``nn.Linear``."""

    def __init__(self, inputs: int, outputs: int, dropout: float = 0.0) -> None:
        super().__init__(inputs, outputs, bias=False)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., inputs) to (..., outputs)."""
        return super().forward(torch.dropout(x, self.dropout, self.training))


class Lookahead(nn.Module):
    """Each frame becomes a weighted sum of itself and the next ``context - 1`` frames, per unit (Wang et al. 2016).

    Args:
        units: width H.
        context: frames seen, this one included.
    """

    def __init__(self, units: int, context: int) -> None:
        super().__init__()
        self.context = context
        self.conv = nn.Conv1d(units, units, context, groups=units, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map x, (B, T, H), whose padding is zero, to the same shape."""
        y: Tensor = self.conv(pad(x.transpose(1, 2), (0, self.context - 1)))
        return y.transpose(1, 2)


def pack(x: Tensor, lengths: Tensor) -> PackedSequence:
    """Pack x, (B, T, H), whose items have ``lengths`` frames, (B,)."""
    return pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)


def unpack(x: PackedSequence, size: int) -> Tensor:
    """Undo ``pack``: (B, size, H) with zeros as padding."""
    return pad_packed_sequence(x, batch_first=True, total_length=size)[0]


def like(x: PackedSequence, data: Tensor) -> PackedSequence:
    """Frames ``data``, (N, H'), packed as x is."""
    return PackedSequence(data, x.batch_sizes, x.sorted_indices, x.unsorted_indices)
