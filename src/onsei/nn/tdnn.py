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
    """A projection, then convolutions over time, each with batch norm, ReLU and a path around it.

    They see a fixed stretch of sound and need no frame before the next, so that they compute as large matrix products,
    and learn from little sound where recurrent layers stay silent. Source: time-delay networks (Waibel et al. 1989)
    with residual paths (He et al. 2016), as in Jasper (Li et al. 2019). Padding never reaches a frame of sound, nor
    the batch norms' statistics.

    Args:
        input_size: width of the input.
        hidden_size: width of the output, H.
        layers: number of convolutions.
        context: frames that each of them spans, an odd number.
        dropout: of what each of them adds.
    """

    def __init__(self, input_size: int, hidden_size: int, layers: int, context: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout
        self.project = nn.Linear(input_size, hidden_size, bias=False)
        self.norm = nn.BatchNorm1d(hidden_size)
        self.convs = nn.ModuleList(
            nn.Conv1d(hidden_size, hidden_size, context, padding=context // 2, bias=False) for _ in range(layers)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden_size) for _ in range(layers))

    def forward(self, x: PackedSequence) -> PackedSequence:
        """Map frames of ``input_size`` to frames of ``hidden_size``."""
        x = like(x, relu(self.norm(self.project(x.data))))
        padded, lengths = pad_packed_sequence(x, batch_first=True)  # (B, T, H)
        mask = length_mask(lengths, padded.size(1), padded.device)[..., None]
        for conv, norm in zip(self.convs, self.norms, strict=True):
            y = conv(padded.transpose(1, 2)).transpose(1, 2)
            padded = padded + self._activated(norm, y, mask)
        return like(x, pack(padded, lengths).data)

    def _activated(self, norm: nn.Module, y: Tensor, mask: Tensor) -> Tensor:
        """Batch norm, ReLU and dropout of y, (B, T, H); zeros where ``mask``, (B, T, 1), is false."""
        if not self.training:
            return relu(norm(y.transpose(1, 2)).transpose(1, 2)) * mask
        frames = torch.dropout(relu(norm(y[mask[..., 0]])), self.dropout, True)  # (N, H)
        return torch.zeros_like(y).masked_scatter(mask, frames.to(y.dtype))
