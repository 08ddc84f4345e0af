"""Sound drawn to its mel: magnitudes that have the mel, and a phase for them by Griffin-Lim.

B batch, M mel bands, F frames, T = F · hop samples.
"""

from __future__ import annotations

from math import log

import torch
from torch import Tensor

from onsei.audio.features import GriffinLim
from onsei.vocoder.mel import MelDefinition, filters, to_natural

UPDATES = 50
"""Multiplicative updates from a mel to magnitudes that are not negative."""
_LEAST = 1e-6
FILLING = 0.35
"""Largest share of the mel's own magnitudes in those that updates begin with: a network's have holes, which no factor
fills."""
_FAR = 0.15
"""Mean miss of a frame's mel, in nepers, from which on that share is the largest; sound that has its mel stays."""
_GRAIN = 1.0
"""Deviation, in bands, of the smoothing of an envelope: less, and the gaps between a source's harmonics are filled."""
_DEEPEST = 8.0
"""Nepers below its loudest band at which a source counts as silent."""
_LOUDEST = 12.0
"""Largest gain in nepers."""


class Refiner:
    """Magnitudes that have the mel (Lee and Seung's updates, 2001), and a phase for them by fast Griffin-Lim.

    From nothing this is the vocoder that needs no training. From a network's sound it keeps what the network found out
    about phase and about the bins within a mel band, and takes away where the sound misses the mel.

    The transforms stand where the mel's own frames stand, so that nothing is lost to another framing.

    Args:
        definition: of the mels.
        iterations: of Griffin-Lim.
        filling: of holes in the network's spectra, ``FILLING``; 0 for sound that has none.
    """

    def __init__(self, definition: MelDefinition, iterations: int, filling: float = FILLING) -> None:
        definition.check()
        self.mel = definition
        self._filling = filling
        self._filters = filters(definition)
        self._inverse = torch.linalg.pinv(self._filters)
        self._phases = GriffinLim(
            definition.n_fft,
            definition.hop_length,
            iterations=iterations,
            win_length=definition.win_length,
            pad_mode="constant",
        )
        self._smoothing = smoothing(definition.n_mels, _GRAIN)
        self._between = between(self._filters, definition)

    @torch.inference_mode()
    def __call__(self, mel: Tensor, sound: Tensor | None = None) -> Tensor:
        """Log-mel (B, M, F) and, where there is one, the sound (B, T) that a network made of it → sound (B, T).

        Both on the CPU, and as a network makes it: with the definition's pre-emphasis.
        """
        natural, power = to_natural(mel.float(), self.mel), self.mel.quantity == "power"
        wanted = natural.exp().square() if power else natural.exp()
        frames, hop, early = mel.shape[-1], self.mel.hop_length, self._early
        start, phase = (self._inverse @ wanted).clamp(min=_LEAST), None
        if sound is not None:
            spectra = self._spectra(sound, frames)
            size = spectra.abs().clamp(min=_LEAST)
            phase = spectra / size
            missed = (natural - self._heard(size).clamp(min=log(self.mel.floor))).abs().mean(1, keepdim=True)
            size = torch.lerp(size, start.sqrt() if power else start, self._filling * (missed / _FAR).clamp(max=1))
            start = size.square() if power else size
        magnitude = self._magnitudes(wanted, start)
        made = self._phases(magnitude.sqrt() if power else magnitude, frames * hop - early, phase=phase)
        before = made.new_zeros(*made.shape[:-1], early) if sound is None else sound[..., :early]
        return torch.cat([before, made], dim=-1)

    @torch.inference_mode()
    def shaped(self, mel: Tensor, source: Tensor) -> Tensor:
        """Source and filter: ``source`` (B, T) under the envelope of the log-mel (B, M, F) → sound (B, T).

        Bands follow the mel but for their finest grain, so that the source keeps its harmonics where the mel has none.
        """
        spectra = self._spectra(source, mel.shape[-1])
        heard = self._heard(spectra.abs())
        heard = heard.clamp(min=heard.amax() - _DEEPEST)
        lacking = self._between @ self._smoothing @ (to_natural(mel.float(), self.mel) - heard)  # (B, bins, F)
        length = mel.shape[-1] * self.mel.hop_length - self._early
        made = self._phases.inverse(spectra * lacking.clamp(max=_LOUDEST).exp(), length)
        return torch.cat([made.new_zeros(*made.shape[:-1], self._early), made], dim=-1)

    @property
    def _early(self) -> int:
        """Samples between Griffin-Lim's frame i, which is centered on sample i · hop, and the definition's, half a hop
        later in the sound that it stands for.
        """
        return self.mel.hop_length // 2

    def _spectra(self, sound: Tensor, frames: int) -> Tensor:
        """Of the definition's frames: (B, T) → (B, bins, F)."""
        later = torch.nn.functional.pad(sound[..., self._early :], (0, self._early))
        spectra: Tensor = self._phases.stft(later)[..., :frames]
        return spectra

    def _heard(self, size: Tensor) -> Tensor:
        """Log-mel in nepers, without a floor, of magnitudes (B, bins, F): (B, M, F)."""
        if self.mel.quantity == "power":
            return (self._filters @ size.square()).clamp(min=1e-30).log() / 2
        return (self._filters @ size).clamp(min=1e-30).log()

    def _magnitudes(self, mel: Tensor, start: Tensor) -> Tensor:
        """(B, M, F) → (B, bins, F), not negative, reached from ``start``."""
        above = self._filters.T @ mel
        for _ in range(UPDATES):
            start = start * above / (self._filters.T @ (self._filters @ start) + 1e-9)
        return start


def smoothing(bands: int, deviation: float) -> Tensor:
    """A Gaussian over bands, (bands, bands); each row sums to 1."""
    places = torch.arange(bands, dtype=torch.float32)
    weights = torch.exp(-0.5 * ((places[:, None] - places) / deviation) ** 2)
    return weights / weights.sum(1, keepdim=True)


def between(bands: Tensor, definition: MelDefinition) -> Tensor:
    """Linear interpolation from the centers of the mel filters ``bands`` (M, bins) to the bins: (bins, M)."""
    hertz = torch.linspace(0, definition.sample_rate / 2, bands.shape[1])
    centers = (bands @ hertz) / bands.sum(1).clamp(min=1e-12)
    right = torch.searchsorted(centers.contiguous(), hertz).clamp(1, len(centers) - 1)
    low, high = centers[right - 1], centers[right]
    share = ((hertz - low) / (high - low).clamp(min=1e-6)).clamp(0, 1)
    made = torch.zeros(len(hertz), len(centers))
    rows = torch.arange(len(hertz))
    made[rows, right - 1] = 1 - share
    made[rows, right] = share
    return made
