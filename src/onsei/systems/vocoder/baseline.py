"""Griffin-Lim as a vocoder: what a trained one has to beat.

M mel bands, F frames, T samples.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from onsei.audio.features import GriffinLim
from onsei.systems.vocoder.inference import Vocoder
from onsei.vocoder.mel import LogMel, MelDefinition, filters, restored, to_natural

_UPDATES = 50
"""Multiplicative updates from a mel to magnitudes that are not negative."""


class GriffinLimVoice(Vocoder):
    """Magnitudes that have the mel (Lee and Seung's updates, 2001), and a phase for them by fast Griffin-Lim.

    The transforms stand where the mel's own frames stand, so that nothing is lost to another framing.

    Args:
        mel: the definition.
        iterations: of Griffin-Lim.
    """

    def __init__(self, mel: MelDefinition, iterations: int = 60) -> None:
        mel.check()
        self.mel = mel
        self._analysis = LogMel(mel)
        self._filters = filters(mel)
        self._inverse = torch.linalg.pinv(self._filters)
        self._phases = GriffinLim(
            mel.n_fft, mel.hop_length, iterations=iterations, win_length=mel.win_length, pad_mode="constant"
        )

    @torch.inference_mode()
    def _parts(self, mel: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        self._check(mel)
        wanted = to_natural(torch.from_numpy(np.ascontiguousarray(mel, np.float32)), self.mel).exp()
        power = self.mel.quantity == "power"
        magnitude = self._magnitudes(wanted.square() if power else wanted)
        magnitude = magnitude.sqrt() if power else magnitude
        # Griffin-Lim centers frame i on sample i · hop; the definition half a hop later in the sound it stands for.
        frames, hop = mel.shape[1], self.mel.hop
        sound = self._phases(magnitude, frames * hop)
        sound = torch.nn.functional.pad(sound, (hop // 2, 0))[: frames * hop]
        yield restored(sound, self.mel).numpy()

    def _magnitudes(self, mel: torch.Tensor) -> torch.Tensor:
        """(M, F) → (bins, F), not negative."""
        found: torch.Tensor = (self._inverse @ mel).clamp(min=1e-6)
        above = self._filters.T @ mel
        for _ in range(_UPDATES):
            found = found * above / (self._filters.T @ (self._filters @ found) + 1e-9)
        return found
