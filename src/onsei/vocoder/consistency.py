"""Rounds within a network that draw its sound to the mel it was given, as Griffin-Lim draws a guess to magnitudes.

B batch, M mel bands, F frames, T = F · hop samples, K bins. Sources: Griffin and Lim, Signal estimation from modified
short-time Fourier transform, 1984; Masuyama et al., Deep Griffin-Lim iteration, 2019 (rounds that are trained through).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from onsei.audio.features import STFT, InverseSTFT
from onsei.vocoder.mel import MelDefinition, filters, mirrored, to_natural
from onsei.vocoder.refinement import between

_MOST = 3.0
"""Most of a band's lack or excess, in nepers, that a round makes up: what is nearly silent is not blown up."""


class Consistency(nn.Module):
    """``rounds`` times: what the sound's own mel lacks of the given one is added to its spectra; phases stay.

    Unlike ``refinement.Refiner`` it is trained through: the network learns to make sound that few rounds can mend. How
    far each round goes in each band is learned too.

    Args:
        mel: the definition.
        rounds: 1 or more.
    """

    filters: Tensor
    between: Tensor

    def __init__(self, mel: MelDefinition, rounds: int) -> None:
        super().__init__()
        self.mel, self.rounds = mel, rounds
        sizes = (mel.n_fft, mel.hop_length, mel.win_length)
        self.stft, self.inverse = STFT(*sizes, center=False), InverseSTFT(*sizes, center=False)
        bands = filters(mel)
        self.register_buffer("filters", bands.T.contiguous(), persistent=False)  # (K, M)
        self.register_buffer("between", between(bands, mel).T.contiguous(), persistent=False)  # (M, K)
        self.strength = nn.Parameter(torch.ones(rounds, mel.n_mels))

    @property
    def pads(self) -> tuple[int, int]:
        """Samples of mirror image before and after, so that frame i is centered on the middle of its hop."""
        whole = self.mel.n_fft - self.mel.hop_length
        return whole // 2, whole - whole // 2

    @property
    def context(self) -> int:
        """Frames on each side of a frame that are heard in its sound: of each round those that its frames overlap."""
        return self.rounds * -(-self.mel.n_fft // self.mel.hop_length)

    def forward(self, sound: Tensor, mel: Tensor) -> Tensor:
        """``sound`` (B, T) of the log-mel ``mel`` (B, M, F) → sound (B, T), in 32 bits."""
        with torch.autocast(sound.device.type, enabled=False):
            sound = sound.float()
            wanted = to_natural(mel.float().transpose(1, 2), self.mel)
            for strength in self.strength.float():
                spectra = self.stft.spectra(mirrored(sound, *self.pads))
                power = spectra.real.square() + spectra.imag.square() + self.mel.epsilon
                sound = self._laid(spectra * self.gain(power, wanted, strength), sound.shape[-1])
        return sound

    def gain(self, power: Tensor, wanted: Tensor, strength: Tensor) -> Tensor:
        """What each bin is multiplied by.

        Args:
            power: of the sound's bins, (B, F, K).
            wanted: the mel, in nepers, (B, F, M).
            strength: of this round, (M,).
        """
        bands, floor = self.filters.float(), self.mel.floor
        if self.mel.quantity == "power":
            heard = (power @ bands).clamp(min=floor**2).log() / 2
        else:
            heard = (power.sqrt() @ bands).clamp(min=floor).log()
        lacking = (wanted - heard).clamp(-_MOST, _MOST) * strength
        gain: Tensor = (lacking @ self.between.float()).exp()
        return gain

    def _laid(self, spectra: Tensor, length: int) -> Tensor:
        before, after = self.pads
        sound: Tensor = self.inverse(spectra.transpose(1, 2), before + length + after)
        return sound[..., before : before + length]
