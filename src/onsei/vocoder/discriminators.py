"""HiFi-GAN's discriminators: multi-period and multi-scale.

B batch, T samples, C channels, P period. Source: Kong, Kim and Bae, HiFi-GAN, 2020, section 2.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from onsei.vocoder.mel import mirrored
from onsei.vocoder.weightnorm import spectral_norm, weight_norm

Verdicts: TypeAlias = list[tuple[Tensor, list[Tensor]]]
"""For each part of a discriminator: its scores (B, N), and the activations of its layers."""

PERIODS = (2, 3, 5, 7, 11)
_SLOPE = 0.1


class MultiPeriod(nn.Module):
    """Looks at every P-th sample, for several P.

    Args:
        periods: P, in samples.
        width: channels in units of the published 32; 1 is upstream's.
    """

    def __init__(self, periods: Sequence[int] = PERIODS, width: float = 1.0) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList(_Period(period, width) for period in periods)

    def forward(self, audio: Tensor) -> Verdicts:
        """``audio`` (B, T) → verdicts of each period."""
        return [part(audio) for part in self.discriminators]


class MultiScale(nn.Module):
    """Looks at the sound, at its half rate and at its quarter rate.

    Args:
        scales: how many.
        width: channels in units of the published 128; 1 is upstream's, and keeps its groups.
    """

    def __init__(self, scales: int = 3, width: float = 1.0) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList(_Scale(spectral=not scale, width=width) for scale in range(scales))
        self.pool = nn.AvgPool1d(4, 2, padding=2)

    def forward(self, audio: Tensor) -> Verdicts:
        """``audio`` (B, T) → verdicts of each scale."""
        verdicts, x = [], audio[:, None]
        for scale, part in enumerate(self.discriminators):
            x = self.pool(x) if scale else x
            verdicts.append(part(x))
        return verdicts


class _Period(nn.Module):
    def __init__(self, period: int, width: float) -> None:
        super().__init__()
        self.period = period
        sizes = [1, *(_scaled(channels, width, 1) for channels in (32, 128, 512, 1024, 1024))]
        self.convs = nn.ModuleList(
            weight_norm(nn.Conv2d(before, after, (5, 1), (stride, 1), (2, 0)))
            for before, after, stride in zip(sizes, sizes[1:], (3, 3, 3, 3, 1), strict=False)
        )
        self.conv_post = weight_norm(nn.Conv2d(sizes[-1], 1, (3, 1), 1, (1, 0)))

    def forward(self, audio: Tensor) -> tuple[Tensor, list[Tensor]]:
        batch, length = audio.shape
        x = mirrored(audio, 0, -length % self.period).view(batch, 1, -1, self.period)  # (B, 1, T / P, P)
        return _judged(self.convs, self.conv_post, x)


class _Scale(nn.Module):
    def __init__(self, spectral: bool, width: float) -> None:
        super().__init__()
        norm = spectral_norm if spectral else weight_norm
        layers = (  # channels, kernel, stride, groups
            (128, 15, 1, 1), (128, 41, 2, 4), (256, 41, 2, 16), (512, 41, 4, 16), (1024, 41, 4, 16),
            (1024, 41, 1, 16), (1024, 5, 1, 1),
        )  # fmt: skip
        self.convs = nn.ModuleList()
        before = 1
        for channels, kernel, stride, groups in layers:
            after = _scaled(channels, width, 16)
            self.convs.append(norm(nn.Conv1d(before, after, kernel, stride, kernel // 2, groups=groups)))
            before = after
        self.conv_post = norm(nn.Conv1d(before, 1, 3, 1, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        return _judged(self.convs, self.conv_post, x)


def _judged(convs: nn.ModuleList, post: nn.Module, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    features = []
    for conv in convs:
        x = leaky_relu(conv(x), _SLOPE)
        features.append(x)
    x = post(x)
    return torch.flatten(x, 1), [*features, x]


def _scaled(channels: int, width: float, step: int) -> int:
    """``channels`` by ``width``, rounded to a multiple of ``step`` above 0."""
    return max(1, round(channels * width / step)) * step
