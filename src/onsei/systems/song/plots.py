"""Pictures of songs: one that was sung, and what a singer made of its sketch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from onsei.plots.spectrogram import compared

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def side_by_side(sounds: Mapping[str, NDArray[np.float32]], rate: int) -> Figure:
    """Spectrograms of sounds (T,) at ``rate`` Hz by their names, one below the other."""
    return compared(list(sounds.items()), rate)
