"""Losses of HiFi-GAN, each by its name: what discriminators and generators are trained by.

B batch, T samples. Source: Kong, Kim and Bae, HiFi-GAN, 2020, section 2.4; Mao et al., LSGAN, 2017; Yamamoto, Song and
Kim, Parallel WaveGAN, 2020, section 2.2 (multi-resolution STFT).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from onsei.audio.features import STFT
from onsei.vocoder.discriminators import Verdicts
from onsei.vocoder.mel import LogMel, MelDefinition, mirrored, to_natural

WEIGHTS: Mapping[str, float] = {"adversarial": 1.0, "features": 2.0, "mel": 45.0}
"""Upstream's weights of the generator's losses."""


def discriminator(real: Verdicts, made: Verdicts) -> Tensor:
    """Least squares: real sound ought to score 1, made sound 0; summed over the parts."""
    losses = [(1 - r).square().mean() + m.square().mean() for (r, _), (m, _) in zip(real, made, strict=True)]
    return torch.stack(losses).sum()


def adversarial(made: Verdicts) -> Tensor:
    """Least squares: made sound ought to score 1; summed over the parts."""
    return torch.stack([(1 - score).square().mean() for score, _ in made]).sum()


def features(real: Verdicts, made: Verdicts) -> Tensor:
    """Feature matching: L1 between the activations of real and made sound, summed over all layers.

    Those of real sound are targets: no gradient goes there.
    """
    pairs = [pair for (_, r), (_, m) in zip(real, made, strict=True) for pair in zip(r, m, strict=True)]
    return torch.stack([l1_loss(made_layer, real_layer.detach()) for real_layer, made_layer in pairs]).sum()


class MelLoss(nn.Module):
    """L1 between log-mels, in nepers, up to half the sample rate as upstream compares them.

    Args:
        mel: the definition; its f_max does not matter.
    """

    def __init__(self, mel: MelDefinition) -> None:
        super().__init__()
        self.mel = mel
        self.logmel = LogMel(mel.full_band())

    def forward(self, made: Tensor, real: Tensor) -> Tensor:
        """``made`` and ``real`` (B, T), both as ``mel.prepared`` gives it → a number."""
        with torch.no_grad():
            target = to_natural(self.logmel(real), self.mel)
        return l1_loss(to_natural(self.logmel(made), self.mel), target)


class SpectralLoss(nn.Module):
    """Multi-resolution STFT loss: spectral convergence and L1 of log magnitudes, the mean over the resolutions.

    Args:
        sizes: samples of each transform; hops are a quarter.
    """

    def __init__(self, sizes: tuple[int, ...] = (512, 1024, 2048)) -> None:
        super().__init__()
        self.stfts = nn.ModuleList(STFT(size, size // 4, center=False) for size in sizes)

    def forward(self, made: Tensor, real: Tensor) -> Tensor:
        """``made`` and ``real`` (B, T) → a number."""
        losses = []
        for stft in self.stfts:
            assert isinstance(stft, STFT)
            with torch.no_grad():
                target = self._magnitude(stft, real)
            found = self._magnitude(stft, made)
            norms = (target - found).flatten(1).norm(dim=1) / target.flatten(1).norm(dim=1).clamp(min=1e-5)
            losses.append(norms.mean() + l1_loss(found.log(), target.log()))
        return torch.stack(losses).mean()

    def _magnitude(self, stft: STFT, samples: Tensor) -> Tensor:
        spectra = stft.spectra(mirrored(samples, stft.n_fft // 2, stft.n_fft // 2))
        return (spectra.real.square() + spectra.imag.square() + 1e-7).sqrt()
