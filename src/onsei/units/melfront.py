"""Encoders of wav2vec 2.0's kind that hear log-mels in place of samples: small data trains them in minutes.

B batch, T samples, F frames, C features.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from onsei.units.encoder import SpeechEncoder
from onsei.units.spectral import HOP, WINDOW, Spectral

BANDS = 40


class MelFront(nn.Module):
    """Log-mels and their slopes, in the place of transformers' ``feature_extractor``; without weights."""

    def __init__(self) -> None:
        super().__init__()
        self.spectral = Spectral("mel", BANDS, 1)

    def forward(self, samples: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, T) → (B, C, F)."""
        features: Tensor = self.spectral(samples, lengths)[0]
        return features.transpose(1, 2)

    def _freeze_parameters(self) -> None:
        """There are none; transformers asks."""


def shape(config: Any) -> Any:
    """``config`` of transformers, changed to the sizes of this front."""
    config.conv_dim, config.conv_kernel, config.conv_stride = (2 * BANDS,), (WINDOW,), (HOP,)
    config.num_feat_extract_layers = 1
    return config


def put_in(body: Any) -> Any:
    """Give transformers' encoder ``body``, made by ``shape``, this front."""
    body.feature_extractor = MelFront()
    return body


class MelEncoder(SpeechEncoder):
    """As ``SpeechEncoder``, of a body with this front."""

    def _front(self, samples: Tensor, lengths: Tensor) -> Tensor:
        features: Tensor = self.body.feature_extractor(samples, lengths)
        return features
