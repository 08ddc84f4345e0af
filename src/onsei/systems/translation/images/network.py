"""A small network that sees pictures: a stem, self-attention over places, a pooled embedding.

B batch, S pixels of a side, H width, E size of the common space. Source of the stem of convolutions: Xiao et al., Early
convolutions help transformers see better, 2021.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from onsei.systems.translation.config.ground import ImageNetwork
from onsei.systems.translation.ground.encoder import Pooling

_PATCH, _JOINED = 4, 2
STRIDE = _PATCH * _JOINED
"""Pixels of a side that become one place."""


class SmallImageEncoder(nn.Module):
    """Sees pictures of one size.

    Args:
        options: the network; ``size`` is a multiple of 8.
        size: of the embedding, E.
    """

    def __init__(self, options: ImageNetwork, size: int) -> None:
        super().__init__()
        width = options.width
        half = width // 2
        self.patches: nn.Linear | None = None
        if options.stem == "patches":
            self.patches = nn.Linear(3 * _PATCH**2, half)
            self.around: nn.Module = nn.Conv2d(half, half, 3, padding=1)
        else:
            self.around = nn.Sequential(
                _convolution(3, half // 2, 2), _convolution(half // 2, half, 2), _convolution(half, half, 1)
            )
        self.join = nn.Linear(half * _JOINED**2, width)
        places = (options.size // STRIDE) ** 2
        self.places = nn.Parameter(torch.randn(places, width) * 0.02)
        self.attention = nn.Sequential(
            *(
                nn.TransformerEncoderLayer(
                    width, options.heads, 2 * width, options.dropout, "gelu", batch_first=True, norm_first=True
                )
                for _ in range(options.layers)
            )
        )
        self.norm = nn.LayerNorm(width)
        self.pooling = Pooling(width, 4, size)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures, (B, 3, S, S), 0 in the mean → (B, E), of length 1."""
        if self.patches is None:
            x = self.around(pictures.contiguous(memory_format=torch.channels_last))
        else:
            x = gelu(self.patches(_cells(pictures, _PATCH)))
            x = gelu(self.around(x.permute(0, 3, 1, 2)))
        x = self.join(_cells(x, _JOINED)).flatten(1, 2) + self.places
        vector: Tensor = self.pooling(self.norm(self.attention(x)))
        return vector


def _convolution(before: int, width: int, stride: int) -> nn.Module:
    convolution = nn.Conv2d(before, width, 3, stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.GELU())


def _cells(x: Tensor, side: int) -> Tensor:
    """Cells of ``side`` × ``side`` places, (B, C, S, S) → (B, S / side, S / side, C · side²).

    A linear map of them is a convolution of stride ``side``, several times as fast on a CPU.
    """
    batch, channels, height, width = x.shape
    cells = x.reshape(batch, channels, height // side, side, width // side, side)
    return cells.permute(0, 2, 4, 1, 3, 5).flatten(3)
