"""The unit model: features of a frozen network, and a quantizer over them.

B batch, T samples, F frames, C code size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from onsei.nn.masks import length_mask
from onsei.systems.translation.acoustic.features import Acoustic
from onsei.systems.translation.config.units import Units
from onsei.units.quantizer import Codebook, Quantized, VectorQuantizer


def codebook(units: Units) -> Codebook:
    """The quantizer's shape that the options ask for."""
    return Codebook(
        codes=units.num_clusters,
        code_size=units.code_size,
        layer_norm=units.layer_norm,
        whiten=units.whiten,
        cosine=units.cosine,
        decay=units.decay,
        commitment=units.commitment,
        restart=units.restart,
    )


@dataclass(frozen=True)
class Heard:
    """What a unit model makes of sounds."""

    quantized: Quantized
    features: Tensor
    """(B, F, D)."""
    frames: Tensor
    """Of each sound, (B,), on the CPU."""
    mask: Tensor
    """True where there is sound, (B, F)."""


class UnitModel(nn.Module):
    """Sounds at 16 kHz → units.

    Args:
        acoustic: the features.
        quantizer: over them.
    """

    def __init__(self, acoustic: Acoustic, quantizer: VectorQuantizer) -> None:
        super().__init__()
        self.acoustic, self.quantizer = acoustic, quantizer

    def forward(self, samples: Tensor, lengths: Tensor | None = None) -> Heard:
        """Units of (B, T), zeros as padding, of ``lengths`` samples, (B,); all of T by default."""
        lengths = torch.full((len(samples),), samples.shape[-1]) if lengths is None else lengths
        features, frames = self.acoustic(samples, lengths)
        mask = length_mask(frames, features.size(1), features.device)
        return Heard(self.quantizer(features, mask), features, frames, mask)

    def units(self, samples: Tensor, lengths: Tensor) -> list[Tensor]:
        """The unit of each frame of each sound, (F,) int64 on the CPU."""
        heard = self(samples, lengths)
        found = heard.quantized.units.cpu()
        return [row[:n] for row, n in zip(found, heard.frames.tolist(), strict=True)]
