"""Sound drawn to its mel: magnitudes that have the mel, and a phase for them by Griffin-Lim.

B batch, M mel bands, F frames, T = F · hop samples.
"""

from __future__ import annotations

import torch
from torch import Tensor

from onsei.audio.features import GriffinLim
from onsei.vocoder.mel import MelDefinition, filters, to_natural

UPDATES = 50
"""Multiplicative updates from a mel to magnitudes that are not negative."""
_LEAST = 1e-6


class Refiner:
    """Magnitudes that have the mel (Lee and Seung's updates, 2001), and a phase for them by fast Griffin-Lim.

    From nothing this is the vocoder that needs no training. From a network's sound it keeps what the network found out
    about phase and about the bins within a mel band, and takes away where the sound misses the mel.

    The transforms stand where the mel's own frames stand, so that nothing is lost to another framing.

    Args:
        definition: of the mels.
        iterations: of Griffin-Lim.
    """

    def __init__(self, definition: MelDefinition, iterations: int) -> None:
        definition.check()
        self.mel = definition
        self._filters = filters(definition)
        self._inverse = torch.linalg.pinv(self._filters)
        self._phases = GriffinLim(
            definition.n_fft,
            definition.hop_length,
            iterations=iterations,
            win_length=definition.win_length,
            pad_mode="constant",
        )

    @torch.inference_mode()
    def __call__(self, mel: Tensor, sound: Tensor | None = None) -> Tensor:
        """Log-mel (B, M, F) and, where there is one, the sound (B, T) that a network made of it → sound (B, T).

        Both on the CPU, and as a network makes it: with the definition's pre-emphasis.
        """
        wanted = to_natural(mel.float(), self.mel).exp()
        power = self.mel.quantity == "power"
        wanted = wanted.square() if power else wanted
        # Griffin-Lim centers frame i on sample i · hop; the definition half a hop later in the sound it stands for.
        frames, hop, early = mel.shape[-1], self.mel.hop_length, self.mel.hop_length // 2
        start, phase = (self._inverse @ wanted).clamp(min=_LEAST), None
        if sound is not None:
            spectra = self._phases.stft(torch.nn.functional.pad(sound[..., early:], (0, early)))[..., :frames]
            start = spectra.abs().clamp(min=_LEAST)
            phase = spectra / start
            start = start.square() if power else start
        magnitude = self._magnitudes(wanted, start)
        made = self._phases(magnitude.sqrt() if power else magnitude, frames * hop - early, phase=phase)
        before = made.new_zeros(*made.shape[:-1], early) if sound is None else sound[..., :early]
        return torch.cat([before, made], dim=-1)

    def _magnitudes(self, mel: Tensor, start: Tensor) -> Tensor:
        """(B, M, F) → (B, bins, F), not negative, reached from ``start``."""
        above = self._filters.T @ mel
        for _ in range(UPDATES):
            start = start * above / (self._filters.T @ (self._filters @ start) + 1e-9)
        return start
