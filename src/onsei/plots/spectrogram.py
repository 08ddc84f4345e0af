"""A sound's spectrogram over time, with aligned words below."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from onsei.errors import DataError
from onsei.plots.sound import Word, checked_words, mono
from onsei.plots.style import INK, dress, figure, fonts
from onsei.plots.words import axes_with_words, draw_words

_WINDOW = 0.025
_HOP = 0.005
_COLUMNS = 1200
_RANGE = 80.0


def spectrogram(samples: ArrayLike, rate: int, words: Sequence[Word] | None = None) -> Figure:
    """Level in dB below the loudest point, over seconds and kHz.

    Args:
        samples: (T,) or (T, C), from -1 to 1; channels are averaged.
        rate: samples per second.
        words: aligned words to write below, with their boundaries drawn through the picture.

    Raises:
        DataError: the sound is empty or not finite, or a word ends before it starts.
    """
    sound, said = mono(samples, rate), checked_words(words)
    duration = len(sound) / rate
    drawn = figure(9.0, 3.9 if said else 3.4)
    axes, strip = axes_with_words(drawn, said)
    image = axes.imshow(
        levels(sound, rate), origin="lower", aspect="auto", cmap="magma", vmin=-_RANGE, vmax=0,
        extent=(0, duration, 0, rate / 2000), interpolation="none",
    )  # fmt: skip
    dress(axes, x="time in seconds", y="frequency in kHz")
    bar = drawn.colorbar(image, ax=[axes] if strip is None else [axes, strip], pad=0.01, aspect=30)
    bar.set_label("dB", color=INK, fontsize=10, fontfamily=list(fonts()))
    bar.ax.tick_params(colors=INK, labelsize=9, length=0)
    bar.outline.set_visible(False)
    if strip is not None:
        draw_words(axes, strip, said, duration)
    return drawn


def compared(sounds: Sequence[tuple[str, ArrayLike]], rate: int) -> Figure:
    """Spectrograms of several sounds one below the other, on one axis of time: (title, samples) each.

    Args:
        sounds: titles, and samples as for ``spectrogram``. Levels are relative to the loudest point of each.
        rate: samples per second.

    Raises:
        DataError: no sound, or one is empty or not finite.
    """
    if not sounds:
        raise DataError("expected sounds to compare, found none", "give one or more")
    monos = [(title, mono(samples, rate)) for title, samples in sounds]
    longest = max(len(sound) for _, sound in monos) / rate
    drawn = figure(9.0, 0.6 + 2.2 * len(monos))
    panels = drawn.subplots(len(monos), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (title, sound) in zip(panels, monos, strict=True):
        image = axes.imshow(
            levels(sound, rate), origin="lower", aspect="auto", cmap="magma", vmin=-_RANGE, vmax=0,
            extent=(0, len(sound) / rate, 0, rate / 2000), interpolation="none",
        )  # fmt: skip
        dress(axes, x="time in seconds" if axes is panels[-1] else "", y="frequency in kHz")
        axes.set_title(title, loc="left", color=INK, fontsize=10, fontfamily=list(fonts()), parse_math=False)
        axes.set_xlim(0, longest)
    bar = drawn.colorbar(image, ax=list(panels), pad=0.01, aspect=15 * len(monos))
    bar.set_label("dB", color=INK, fontsize=10, fontfamily=list(fonts()))
    bar.ax.tick_params(colors=INK, labelsize=9, length=0)
    bar.outline.set_visible(False)
    return drawn


def levels(sound: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Level of each frequency and frame, shape (bins, frames), in dB below the loudest, from -80 to 0; -80 in silence.

    Hann windows of 25 ms every 5 ms; for sounds over 6 s at most 1200 frames, so that the picture's size stays bounded.
    """
    window = max(16, round(_WINDOW * rate))
    hop = max(1, round(_HOP * rate), -(-len(sound) // _COLUMNS))
    padded = np.pad(sound, window // 2)
    padded = np.pad(padded, (0, max(0, window - len(padded))))
    frames = sliding_window_view(padded, window)[::hop] * np.hanning(window).astype(np.float32)
    magnitude: NDArray[np.float32] = np.abs(np.fft.rfft(frames, axis=1)).T.astype(np.float32)
    loudest = magnitude.max()
    if loudest == 0:
        return np.full(magnitude.shape, -_RANGE, np.float32)
    relative: NDArray[np.float32] = np.maximum(magnitude / loudest, np.float32(10 ** (-_RANGE / 20)))
    return np.multiply(20, np.log10(relative), dtype=np.float32)
