"""Pictures of classification: what was heard, drawn with the classes it was taken for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from onsei.plots.spectrogram import spectrogram
from onsei.systems.classification.config import Classification

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def named(samples: NDArray[np.float32], rate: int, found: Classification) -> Figure:
    """Spectrogram of samples, shape (T,), at ``rate`` Hz with the likeliest class under it."""
    best = found.labels[0]
    return spectrogram(samples, rate, words=[(f"{best.label} {best.score:.0%}", 0.0, found.duration)])
