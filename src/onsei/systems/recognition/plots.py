"""Pictures of recognition: what was heard, drawn under the sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from onsei.plots.spectrogram import spectrogram
from onsei.systems.recognition.config import Transcript

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def aligned(samples: NDArray[np.float32], rate: int, transcript: Transcript) -> Figure:
    """Spectrogram of samples, shape (T,), at ``rate`` Hz with the transcript's words under it at their times."""
    return spectrogram(samples, rate, words=[(word.text, word.start, word.end) for word in transcript.words])
