"""The vocoder as one graph of plain operations, for exporters: no complex numbers, no Fourier transform.

B batch, M mel bands, F frames, G transforms, K bins, N samples of a transform, T samples.
"""

from __future__ import annotations

from math import pi

import torch
from torch import Tensor, nn
from torch.nn.functional import conv_transpose1d, pad

from onsei.vocoder.generator import Generator
from onsei.vocoder.istft import Head, Inverse

_FADED = 1e-9


class Speaker(nn.Module):
    """Mel (B, M, F) to sound (B, F · hop) as it is heard; shares the weights of ``network``, which must be fused."""

    def __init__(self, network: Generator | Head) -> None:
        super().__init__()
        self.network = network
        self.inverse = Transposed(network.inverse) if isinstance(network, Head) else None
        self.preemphasis = network.mel.preemphasis

    def forward(self, mel: Tensor) -> Tensor:
        """``mel`` by the model's definition → sound between -1 and 1, de-emphasized."""
        if self.inverse is not None:
            assert isinstance(self.network, Head)
            sound = self.inverse(*self.network.spectrum(mel))
        else:
            sound = self.network(mel)
        reach, weight = 1, self.preemphasis
        while weight > _FADED:  # `mel.deemphasized`, for every length at once
            sound = sound + weight * pad(sound, (reach, 0))[..., :-reach]
            reach, weight = 2 * reach, weight * weight
        limited: Tensor = sound.clamp(-1, 1)
        return limited


class Transposed(nn.Module):
    """``istft.Inverse`` as transposed convolutions: each bin's wave under the window, laid a hop apart and summed."""

    basis: Tensor
    weight: Tensor

    def __init__(self, inverse: Inverse) -> None:
        super().__init__()
        self.hop, self.size = inverse.hop, inverse.size
        bins = inverse.bins
        turns = torch.outer(torch.arange(bins), torch.arange(self.size)).remainder(self.size).double()
        turns *= 2 * pi / self.size
        twice = torch.full((bins, 1), 2.0, dtype=torch.float64)  # bins that have a mirror image
        twice[0] = 1
        if self.size % 2 == 0:
            twice[-1] = 1
        hann = inverse.hann.double()
        waves = torch.cat([twice * turns.cos(), -twice * turns.sin()]) * hann / self.size
        self.register_buffer("basis", waves.float()[:, None], persistent=False)  # (2 K, 1, N)
        self.register_buffer("weight", hann.square().float()[None, None], persistent=False)  # (1, 1, N)

    def forward(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """``real`` and ``imaginary`` (B, G, K) → (B, G · hop)."""
        spectra = torch.cat([real, imaginary], dim=-1).transpose(1, 2)  # (B, 2 K, G)
        summed = conv_transpose1d(spectra, self.basis, stride=self.hop)
        weight = conv_transpose1d(torch.ones_like(spectra[:, :1]), self.weight, stride=self.hop)
        before = (self.size - self.hop) // 2
        after = self.size - self.hop - before
        return (summed / weight.clamp(min=1e-8))[:, 0, before : summed.shape[-1] - after]
