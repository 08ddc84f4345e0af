"""Griffin-Lim as a vocoder: what a trained one has to beat.

M mel bands, F frames, T samples.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from onsei.systems.vocoder.inference import Vocoder
from onsei.vocoder.mel import LogMel, MelDefinition, restored
from onsei.vocoder.refinement import Refiner


class GriffinLimVoice(Vocoder):
    """Sound from the mel alone: ``Refiner`` without a network's sound to begin with.

    Args:
        mel: the definition.
        iterations: of Griffin-Lim.
    """

    def __init__(self, mel: MelDefinition, iterations: int = 60) -> None:
        mel.check()
        self.mel = mel
        self._analysis = LogMel(mel)
        self._refiner = Refiner(mel, iterations)

    def _parts(self, mel: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        self._check(mel)
        sound = self._refiner(torch.from_numpy(np.ascontiguousarray(mel[None], np.float32)))
        yield restored(sound[0], self.mel).numpy()
