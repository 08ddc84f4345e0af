"""The vocoder as one graph of plain operations, for exporters: no complex numbers, no Fourier transform.

B batch, M mel bands, F frames, G transforms, K bins, N samples of a transform, T samples.
"""

from __future__ import annotations

from math import pi

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, conv_transpose1d, pad

from onsei.vocoder.consistency import Consistency
from onsei.vocoder.generator import Generator
from onsei.vocoder.istft import Head
from onsei.vocoder.mel import to_natural

_FADED = 1e-9


class Speaker(nn.Module):
    """Mel (B, M, F) to sound (B, F · hop) as it is heard; shares the weights of ``network``, which must be fused."""

    def __init__(self, network: Generator | Head) -> None:
        super().__init__()
        self.network = network
        self.inverse, self.consistency = None, None
        if isinstance(network, Head):
            self.inverse = Transposed(network.inverse.hann, network.inverse.hop)
            self.consistency = None if network.consistency is None else Rounds(network.consistency)
        self.preemphasis = network.mel.preemphasis

    def forward(self, mel: Tensor) -> Tensor:
        """``mel`` by the model's definition → sound between -1 and 1, de-emphasized."""
        if self.inverse is not None:
            assert isinstance(self.network, Head)
            real, imaginary = (part.transpose(1, 2) for part in self.network.spectrum(mel))
            sound = self.inverse(real, imaginary)
            if self.consistency is not None:
                sound = self.consistency(sound, mel)
        else:
            sound = self.network(mel)
        reach, weight = 1, self.preemphasis
        while weight > _FADED:  # `mel.deemphasized`, for every length at once
            sound = sound + weight * pad(sound, (reach, 0))[..., :-reach]
            reach, weight = 2 * reach, weight * weight
        limited: Tensor = sound.clamp(-1, 1)
        return limited


class Transposed(nn.Module):
    """Inverse transforms as transposed convolutions: each bin's wave under the window, laid ``hop`` apart and summed.

    Args:
        window: (N,).
        hop: samples from transform to transform; transform i is centered on the middle of hop i.
    """

    basis: Tensor
    weight: Tensor

    def __init__(self, window: Tensor, hop: int) -> None:
        super().__init__()
        self.hop, self.size = hop, len(window)
        twice = torch.full((self.size // 2 + 1, 1), 2.0, dtype=torch.float64)  # bins that have a mirror image
        twice[0] = 1
        if self.size % 2 == 0:
            twice[-1] = 1
        waves = torch.cat([twice, twice]) * _waves(self.size) * window.double() / self.size
        self.register_buffer("basis", waves.float()[:, None], persistent=False)  # (2 K, 1, N)
        self.register_buffer("weight", window.double().square().float()[None, None], persistent=False)  # (1, 1, N)

    def forward(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """``real`` and ``imaginary`` (B, K, G) → (B, G · hop)."""
        spectra = torch.cat([real, imaginary], dim=1)
        summed = conv_transpose1d(spectra, self.basis, stride=self.hop)
        weight = conv_transpose1d(torch.ones_like(spectra[:, :1]), self.weight, stride=self.hop)
        before = (self.size - self.hop) // 2
        after = self.size - self.hop - before
        return (summed / weight.clamp(min=1e-8))[:, 0, before : summed.shape[-1] - after]


class Rounds(nn.Module):
    """``consistency.Consistency`` with its transforms as convolutions; shares its weights."""

    basis: Tensor

    def __init__(self, consistency: Consistency) -> None:
        super().__init__()
        self.consistency = consistency
        window, self.hop = consistency.stft.window, consistency.mel.hop_length
        self.inverse = Transposed(window, self.hop)
        self.register_buffer("basis", (_waves(len(window)) * window).float()[:, None], persistent=False)  # (2 K, 1, N)

    def forward(self, sound: Tensor, mel: Tensor) -> Tensor:
        """``sound`` (B, T) of the mel (B, M, F) → (B, T)."""
        definition = self.consistency.mel
        wanted = to_natural(mel.transpose(1, 2), definition)
        before, after = self.consistency.pads
        for strength in self.consistency.strength:
            length = sound.shape[-1]
            place = torch.arange(-before, length + after).remainder(2 * (length - 1))  # `mel.mirrored` of any length
            mirrored = sound[:, torch.minimum(place, 2 * (length - 1) - place)]
            real, imaginary = conv1d(mirrored[:, None], self.basis, stride=self.hop).chunk(2, dim=1)  # (B, K, F)
            power = real.square() + imaginary.square() + definition.epsilon
            gain = self.consistency.gain(power.transpose(1, 2), wanted, strength).transpose(1, 2)
            sound = self.inverse(real * gain, imaginary * gain)
        return sound


def _waves(size: int) -> Tensor:
    """Cosine and negative sine of each bin, (2 K, size): real and imaginary part of the transform, in 64 bits."""
    turns = torch.outer(torch.arange(size // 2 + 1), torch.arange(size)).remainder(size).double()
    turns *= 2 * pi / size
    return torch.cat([turns.cos(), -turns.sin()])
