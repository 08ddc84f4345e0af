"""The semantic core: clips and pictures as vectors of one space.

B batch, U units, S pixels of a side, E size of the space.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from onsei.systems.translation.config.ground import Contrast, UnitNetwork
from onsei.systems.translation.ground.encoder import Pooling, UnitEncoder


class SemanticCore(nn.Module):
    """Brings units and pictures into one space.

    Args:
        count: number of units.
        size: of the space, E.
        units: the network that reads units.
        contrast: the first temperature and the lowest one.
        image: maps pictures (B, 3, S, S) to vectors (B, E) of length 1.
    """

    speech_mean: Tensor
    """Mean vector of training clips, (E,): they lie a little beside those of pictures."""
    image_mean: Tensor
    """Mean vector of training pictures, (E,)."""

    def __init__(self, count: int, size: int, units: UnitNetwork, contrast: Contrast, image: nn.Module) -> None:
        super().__init__()
        self.encoder = UnitEncoder(count, units)
        self.pooling = Pooling(self.encoder.width, units.queries, size)
        self.image = image
        self.log_scale = nn.Parameter(torch.tensor(-math.log(contrast.temperature)))
        self.register_buffer("speech_mean", torch.zeros(size))
        self.register_buffer("image_mean", torch.zeros(size))
        self._highest = -math.log(contrast.lowest_temperature)

    def speech(self, units: Tensor, lengths: Tensor) -> Tensor:
        """Vectors of clips, (B, E), of length 1. See ``UnitEncoder.forward``."""
        vector: Tensor = self.pooling(*self.encoder(units, lengths))
        return vector

    def scale(self) -> Tensor:
        """What similarities are multiplied with: one over the temperature."""
        return self.log_scale.clamp(max=self._highest).exp()

    def forward(self, units: Tensor, lengths: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Vectors of clips (B, E), of their pictures (B, E), and the scale."""
        return self.speech(units, lengths), self.image(pictures), self.scale()
