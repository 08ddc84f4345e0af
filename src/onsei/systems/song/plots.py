"""Pictures of songs: one that was sung, and what a singer made of its sketch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from onsei.plots.levels import mel
from onsei.plots.spectrogram import compared
from onsei.plots.style import FAINT, PALETTE, dress, figure
from onsei.systems.song.sketch.frames import FRAME_RATE

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def side_by_side(sounds: Mapping[str, NDArray[np.float32]], rate: int) -> Figure:
    """Spectrograms of sounds (T,) at ``rate`` Hz by their names, one below the other."""
    return compared(list(sounds.items()), rate)


def sung(sound: NDArray[np.float32], rate: int, sketch: Sequence[int], block: int) -> Figure:
    """Mel bands of a song (T,) at ``rate`` Hz, and under them its sketch: a color a token, a line a ``block``."""
    seconds = len(sketch) / FRAME_RATE
    drawn = figure(9.0, 3.4)
    above, below = drawn.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": (8, 1)})
    found = mel(sound, rate, n_mels=80, n_fft=rate // 25, hop_length=rate // 100)
    above.imshow(
        found.decibels, origin="lower", aspect="auto", cmap="magma", extent=(0, len(sound) / rate, 0, 80),
        interpolation="none",
    )  # fmt: skip
    inks = np.array([list(bytes.fromhex(color[1:])) for color in PALETTE]) / 255
    tokens = np.asarray(sketch)
    shade = 0.45 + 0.55 * (tokens // len(inks) % 7 / 6)[:, None]  # tokens of one ink differ in depth
    below.imshow((inks[tokens % len(inks)] * shade)[None], aspect="auto", extent=(0, seconds, 0, 1))
    for number in range(block, len(sketch), block):
        for axes in (above, below):
            axes.axvline(number / FRAME_RATE, color=FAINT, linewidth=0.8)
    dress(above, y="mel band")
    dress(below, x="time in seconds", y="sketch")
    below.set_yticks([])
    return drawn
