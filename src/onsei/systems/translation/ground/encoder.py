"""The network that reads units: embeddings, convolutions, recurrence or attention, and a pooled embedding of the clip.

B batch, U units, T states, D width of an embedding, H = 2D width of a state, Q queries, E size of the common space.
"""

from __future__ import annotations

import math
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, normalize

from onsei.nn.masks import length_mask
from onsei.systems.translation.config.ground import UnitNetwork

PADDING, BLANK = 0, 1
"""Rows of the embedding table that are no units: beyond the end, and hidden by augmentation. Unit u has row u + 2."""
FIRST = 2


class UnitEncoder(nn.Module):
    """Reads units.

    Args:
        count: number of units.
        options: the network.
    """

    def __init__(self, count: int, options: UnitNetwork) -> None:
        super().__init__()
        self.count = count
        width, wide = options.width, 2 * options.width
        self.embedding = nn.Embedding(count + FIRST, width, padding_idx=PADDING)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        with torch.no_grad():
            self.embedding.weight[PADDING] = 0
        self.convolutions = nn.ModuleList(_Halving(width, options.kernel) for _ in range(options.convolutions))
        self.recurrence = _Both(width, options.kind) if options.kind != "transformer" else None
        self.widen = nn.Linear(width, wide) if self.recurrence is None else None
        self.attention = nn.ModuleList(
            nn.TransformerEncoderLayer(
                wide, options.heads, wide, options.dropout, "gelu", batch_first=True, norm_first=True
            )
            for _ in range(options.layers)
        )
        self.norm = nn.LayerNorm(wide)
        self.dropout = nn.Dropout(options.dropout)

    @property
    def width(self) -> int:
        """Width of a state, H."""
        return self.norm.normalized_shape[0]

    def states(self, lengths: Tensor) -> Tensor:
        """How many states clips of ``lengths`` units have, (B,)."""
        for convolution in self.convolutions:
            lengths = cast(_Halving, convolution).lengths(lengths)
        return lengths

    def forward(self, units: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Read clips.

        Args:
            units: numbers of rows of the table, (B, U), ``PADDING`` beyond the end; or weights over these rows,
                (B, U, rows), as the straight-through way of a codebook gives them.
            lengths: units of each clip, (B,), 1 or more.

        Returns:
            States, (B, T, H), zeros beyond the end, and their numbers, (B,).
        """
        x = self.embedding(units) if units.ndim == 2 else units @ self.embedding.weight
        x = self.dropout(x * math.sqrt(x.shape[-1]))
        x = x * length_mask(lengths, x.shape[1], x.device)[..., None]
        for convolution in self.convolutions:
            x, lengths = convolution(x, lengths)
        if self.recurrence is not None:
            x = self.dropout(self.recurrence(x, lengths))
        else:
            assert self.widen is not None
            x = self.widen(x)
            x = x + sinusoids(x.shape[1], x.shape[2], x)
        mask = length_mask(lengths, x.shape[1], x.device)
        for layer in self.attention:
            x = layer(x, src_key_padding_mask=~mask)
        return self.norm(x) * mask[..., None], lengths


class Pooling(nn.Module):
    """The answer of states to learned questions, as one vector of length 1.

    Args:
        width: of a state, H.
        queries: number of questions, Q.
        size: of the vector, E.
    """

    def __init__(self, width: int, queries: int, size: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(queries, width) * width**-0.5)
        self.key = nn.Linear(width, width)
        self.project = nn.Linear(queries * width, size)

    def forward(self, states: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, T, H) → (B, E); states beyond ``lengths``, (B,), do not count."""
        scores = torch.einsum("qh,bth->bqt", self.queries, self.key(states)) * states.shape[-1] ** -0.5
        if lengths is not None:
            mask = length_mask(lengths, states.shape[1], states.device)
            scores = scores.masked_fill(~mask[:, None], -torch.inf)
        pooled = torch.einsum("bqt,bth->bqh", scores.softmax(-1), states)
        vector: Tensor = normalize(self.project(pooled.flatten(1)), dim=-1)
        return vector


class _Halving(nn.Module):
    """A convolution of stride 2 that padding does not leak into."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.padding = kernel // 2
        self.convolution = nn.Conv1d(width, width, kernel, stride=2, padding=self.padding)
        self.norm = nn.LayerNorm(width)

    def lengths(self, lengths: Tensor) -> Tensor:
        """States of clips that have ``lengths`` before."""
        return (lengths + 2 * self.padding - self.convolution.kernel_size[0]) // 2 + 1

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, D) with zeros beyond the end → the same, half as long."""
        lengths = self.lengths(lengths)
        x = self.norm(gelu(self.convolution(x.transpose(1, 2)).transpose(1, 2)))
        return x * length_mask(lengths, x.shape[1], x.device)[..., None], lengths


class _Both(nn.Module):
    """Recurrence from both ends; what lies beyond a clip's end never comes before the clip."""

    def __init__(self, width: int, kind: Literal["gru", "lstm", "transformer"]) -> None:
        super().__init__()
        layer = nn.LSTM if kind == "lstm" else nn.GRU
        self.forth, self.back = layer(width, width, batch_first=True), layer(width, width, batch_first=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, D) → (B, T, 2D)."""
        steps = torch.arange(x.shape[1], device=x.device)
        ends = lengths.to(x.device)[:, None]
        order = torch.where(steps < ends, ends - 1 - steps, steps)[..., None].expand_as(x)
        back = self.back(x.gather(1, order))[0].gather(1, order)
        return torch.cat([self.forth(x)[0], back], -1)


def sinusoids(length: int, width: int, like: Tensor) -> Tensor:
    """Positions as sines and cosines, (length, width) (Vaswani et al. 2017, section 3.5)."""
    places = torch.arange(length, device=like.device, dtype=torch.float32)[:, None]
    rates = torch.exp(torch.arange(0, width, 2, device=like.device) * (-math.log(1e4) / width))
    table = torch.zeros(length, width, device=like.device)
    table[:, 0::2] = torch.sin(places * rates)
    table[:, 1::2] = torch.cos(places * rates[: width // 2])
    return table.to(like.dtype)
