"""MuQ's log-mel, by matrix products alone: a Fourier transform without complex numbers, which MPS lacks.

B batch, T samples, F frames, M bands, N size of the transform.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from onsei.audio.features.mel import mel_filters

SAMPLE_RATE = 24000
"""Samples a second that MuQ hears."""
N_FFT = 2048
_LEAST = 1e-10
"""Power that counts as silence."""


class MuQMel(nn.Module):
    """Power in dB of HTK bands, brought to the mean and deviation that MuQ was trained with.

    Args:
        n_mels: M.
        hop: samples between frames.
        mean: of the values in dB.
        deviation: of the same.
    """

    basis: Tensor
    filters: Tensor

    def __init__(self, n_mels: int, hop: int, mean: float, deviation: float) -> None:
        super().__init__()
        self.hop, self.mean, self.deviation = hop, mean, deviation
        bins = N_FFT // 2 + 1
        time = torch.arange(N_FFT, device="cpu")
        turns = (
            (time[:, None] * torch.arange(bins, device="cpu")) % N_FFT * (2 * math.pi / N_FFT)
        )  # exact before it turns
        window = 0.5 - 0.5 * (time * (2 * math.pi / N_FFT)).double().cos()
        waves = torch.cat([turns.double().cos(), turns.double().sin()], 1) * window[:, None]
        self.register_buffer("basis", waves.float(), persistent=False)  # (N, 2 bins)
        filters = mel_filters(SAMPLE_RATE, N_FFT, n_mels, scale="htk", norm=None)
        self.register_buffer("filters", filters.float().T.contiguous(), persistent=False)  # (bins, M)

    def forward(self, samples: Tensor) -> Tensor:
        """Shape (B, M, T // hop) of samples (B, T)."""
        samples = pad(samples[:, None], (N_FFT // 2, N_FFT // 2), mode="reflect")[:, 0]
        frames = samples.unfold(1, N_FFT, self.hop)[:, :-1]  # (B, F, N)
        real, imaginary = (frames @ self.basis).chunk(2, -1)
        power = (real.square() + imaginary.square()) @ self.filters
        decibels = 10 * power.clamp(min=_LEAST).log10()
        return ((decibels - self.mean) / self.deviation).transpose(1, 2)
