"""Sound from magnitudes alone: the fast Griffin-Lim algorithm."""

from __future__ import annotations

from math import pi
from typing import Any

import torch
from torch import Tensor, nn

from onsei.audio.features.stft import STFT, InverseSTFT
from onsei.errors import AudioError


class GriffinLim(nn.Module):
    """Find a phase for a magnitude spectrogram by going to sound and back; equals ``librosa.griffinlim``.

    Source: Griffin and Lim 1984; with momentum, Perraudin, Balazs and Søndergaard, A fast Griffin-Lim algorithm, 2013.

    Args:
        n_fft, hop_length: as for ``STFT``, in samples.
        iterations: how often to go there and back.
        momentum: from 0 (the original algorithm) to below 1.
        framing: further arguments of ``STFT``.
    """

    def __init__(
        self,
        n_fft: int,
        hop_length: int | None = None,
        *,
        iterations: int = 32,
        momentum: float = 0.99,
        **framing: Any,
    ) -> None:
        super().__init__()
        if iterations < 0 or not 0 <= momentum < 1:
            raise AudioError(
                f"expected iterations >= 0 and 0 <= momentum < 1; found {iterations} and {momentum}", "mend these"
            )
        self.iterations = iterations
        self.momentum = momentum
        self.stft = STFT(n_fft, hop_length, **framing)
        self.inverse = InverseSTFT(n_fft, hop_length, **framing)

    @torch.no_grad()
    def forward(
        self, magnitude: Tensor, length: int | None = None, *, seed: int | None = 0, phase: Tensor | None = None
    ) -> Tensor:
        """``magnitude`` (..., bins, frames), not power → samples (..., T).

        Args:
            magnitude: not below 0.
            length: T wanted, as for ``InverseSTFT``.
            seed: of the phases to begin with, the same for each clip of a batch; None begins with phase 0.
            phase: phases to begin with in place of drawn ones: complex, of modulus 1, shaped as ``magnitude``.

        Raises:
            AudioError: as for ``InverseSTFT``.
        """
        phase = self._phase(magnitude, seed) if phase is None else phase
        step = self.momentum / (1 + self.momentum)
        previous = torch.zeros_like(phase)
        frames = magnitude.shape[-1]
        # A single frame that is centered stands on one sample.
        between = max(1, (frames - 1) * self.stft.hop_length) if self.stft.center else None
        for _ in range(self.iterations):
            rebuilt = self.stft(self.inverse(phase * magnitude, between))[..., :frames]
            phase = rebuilt - step * previous
            phase = phase / (phase.abs() + torch.finfo(magnitude.dtype).tiny)
            previous = rebuilt
        sound: Tensor = self.inverse(phase * magnitude, length)
        return sound

    def _phase(self, magnitude: Tensor, seed: int | None) -> Tensor:
        if seed is None:
            return torch.ones_like(magnitude) + 0j
        # Drawn on the CPU, so that every device begins alike.
        draw = torch.rand(magnitude.shape[-2:], generator=torch.Generator().manual_seed(seed), dtype=magnitude.dtype)
        angles = (2 * pi * draw).to(magnitude.device).expand_as(magnitude)
        return torch.polar(torch.ones_like(magnitude), angles)
