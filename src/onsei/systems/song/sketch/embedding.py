"""What hears songs frame by frame: MuQ, or log mel frames that need no weights."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from onsei.audio.features import MelSpectrogram
from onsei.systems.song.sketch.frames import HOP, RATE, Embedding

MEL = "mel"
"""Name of the embedding without weights."""
_MELS, _STEPS = 64, 4
_WIDTH = 1024
_FLOOR = 1e-5


class MelFrames:
    """Log mel bands at 100 Hz, four steps of which are a frame. It knows pitch and timbre as they sound, no more."""

    name = MEL
    fingerprint = f"{MEL}-{_MELS}-{_STEPS}-{_WIDTH}"
    width = _MELS * _STEPS

    def __init__(self) -> None:
        self._mel = MelSpectrogram(RATE, _WIDTH, HOP // _STEPS, _MELS, f_min=60.0, center=False)

    @torch.inference_mode()
    def __call__(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """See ``frames.Embedding``."""
        frames = len(samples) // HOP
        around = (_WIDTH - HOP // _STEPS) // 2
        bands = self._mel(torch.from_numpy(np.pad(samples, around))).clamp(min=_FLOOR).log()
        rows: NDArray[np.float32] = bands.T.reshape(frames, self.width).numpy()
        return rows


def open_embedding(name: str, device: str = "auto") -> Embedding:
    """The embedding called ``name``: ``mel``, or a MuQ model by folder or name on the Hub.

    Raises:
        ModelError: there is no such model.
        ConfigError: no such device.
    """
    if name == MEL:
        return MelFrames()
    from onsei.systems.song.sketch.muq import MuQFrames

    return MuQFrames.load(name, device)
