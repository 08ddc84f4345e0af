"""Residual convolutions over time, as cheap stand-ins for recurrent layers.

B batch, T frames, N frames of all items together, H units.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import relu
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from onsei.nn.masks import length_mask
from onsei.nn.rnn import like, pack


class ResidualConvs(nn.Module):
    """A projection, then convolutions over time, each with batch norm, ReLU, a gate, and a path around it.

    They see a fixed stretch of sound and need no frame before the next, so that they compute as large matrix products,
    and learn from little sound where recurrent layers stay silent. Source: time-delay networks (Waibel et al. 1989)
    with residual paths (He et al. 2016), as in Jasper (Li et al. 2019). The gates scale every unit by what the whole
    utterance is like, its speaker and its room (squeeze and excitation, Hu et al. 2018; for speech ContextNet, Han et
    al. 2020). Padding never reaches a frame of sound, nor the batch norms' statistics.

    Args:
        input_size: width of the input.
        hidden_size: width of the output, H.
        layers: number of convolutions.
        context: frames that each of them spans, an odd number.
        gate: width of the gates' inner layer; 0 leaves them out.
        dropout: of what each of them adds.
    """

    def __init__(
        self, input_size: int, hidden_size: int, layers: int, context: int, gate: int = 0, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.project = nn.Linear(input_size, hidden_size, bias=False)
        self.norm = nn.BatchNorm1d(hidden_size)
        self.convs = nn.ModuleList(
            nn.Conv1d(hidden_size, hidden_size, context, padding=context // 2, bias=False) for _ in range(layers)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden_size) for _ in range(layers))
        self.gates = nn.ModuleList(_gate(hidden_size, gate) for _ in range(layers if gate else 0))

    def forward(self, x: PackedSequence) -> PackedSequence:
        """Map frames of ``input_size`` to frames of ``hidden_size``."""
        padded, lengths = pad_packed_sequence(x)  # (T, B, I)
        return like(x, pack(self.over_padding(padded, lengths).transpose(0, 1), lengths).data)

    def over_padding(self, x: Tensor, lengths: Tensor) -> Tensor:
        """The same over padded x, (T, B, I), of ``lengths`` frames, (B,): (T, B, H), zeros as padding."""
        mask = length_mask(lengths, x.size(0), x.device)[..., None]  # (B, T, 1)
        x = _activated(self.norm, self.project(x.transpose(0, 1)), mask)
        for layer, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            y = _activated(norm, conv(x.transpose(1, 2)).transpose(1, 2), mask)
            if self.gates:
                mean = y.sum(1) / mask.sum(1)
                y = y * (2 * torch.sigmoid(self.gates[layer](mean)))[:, None]  # about 1 before training
            x = x + torch.dropout(y, self.dropout, self.training)
        return x.transpose(0, 1)


def _gate(size: int, inner: int) -> nn.Module:
    return nn.Sequential(nn.Linear(size, inner), nn.ReLU(), nn.Linear(inner, size))


def _activated(norm: nn.Module, y: Tensor, mask: Tensor) -> Tensor:
    """Batch norm and ReLU of y, (B, T, H); zeros where ``mask``, (B, T, 1), is false."""
    if not norm.training:
        return relu(norm(y.transpose(1, 2)).transpose(1, 2)) * mask
    frames = relu(norm(y[mask[..., 0]]))  # (N, H): statistics over sound only
    return torch.zeros_like(y).masked_scatter(mask, frames.to(y.dtype))
