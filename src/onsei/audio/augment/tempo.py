"""Tempo at the same pitch, on samples (WSOLA).

T samples, S search positions, O samples of overlap.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from onsei.audio.augment.ranges import Range, factors_of
from onsei.audio.resample import check_rate
from onsei.audio.samples import Samples, as_samples

_PIECE, _SEARCH, _OVERLAP = 0.060, 0.012, 0.015
"""Seconds of sound taken at once, of the places to take it from on both sides, and of the cross-fade.

The search reaches a period of a low voice (80 Hz) in all; the pieces are shorter than most phones.
"""


def tempo(samples: ArrayLike, rate: int, generator: Generator, *, factors: Range = (0.85, 1.15)) -> Samples:
    """Say it faster (factor above 1) or slower at the same pitch; T becomes round(T / factor).

    Pieces are taken from the sound at the new tempo and joined where they fit best, by normalized correlation of their
    overlap; all channels at the same places.

    Source: Verhelst and Roelands, An overlap-add technique based on waveform similarity (WSOLA), 1993.
    """
    check_rate(rate)
    factors_of("factors", factors, "the tempo")
    factor = generator.uniform(*factors)
    array = as_samples(samples)
    length = array.shape[-1]
    wanted = max(1, round(length / factor))
    overlap, search = max(2, round(_OVERLAP * rate)), round(_SEARCH * rate)
    step = max(overlap, round((_PIECE - _OVERLAP) * rate))
    if wanted == length:
        return array
    channels = array.reshape(-1, length)
    # Silence before and after, so that every place that is searched lies inside.
    tail = search + 2 * (step + overlap) + max(0, wanted - length)
    padded = np.pad(channels, ((0, 0), (search, tail)))
    places = _places(padded.mean(0, dtype=np.float32), wanted, factor, step, overlap, search)
    made = _joined(padded, places, step, overlap)[:, :wanted]
    return made.reshape(*array.shape[:-1], wanted)


def _places(mono: Samples, wanted: int, factor: float, step: int, overlap: int, search: int) -> NDArray[np.int64]:
    """Where the pieces begin in the padded sound: near their time at the new tempo, where the join fits best."""
    count = -(-wanted // step)
    places = np.full(count, search, np.int64)
    power = np.concatenate([[0.0], np.cumsum(np.square(mono, dtype=np.float64))])
    for n in range(1, count):
        target = mono[places[n - 1] + step :][:overlap]  # what would follow the last piece
        first = round(n * step * factor)  # in the padded sound ``search`` before its time
        first = min(first, len(mono) - 2 * search - step - overlap - 1)
        stretch = mono[first : first + 2 * search + overlap]
        match = np.correlate(stretch, target, "valid")  # (S,)
        ends = power[first : first + 2 * search + 1], power[first + overlap : first + 2 * search + overlap + 1]
        places[n] = first + int(np.argmax(match / np.sqrt(ends[1] - ends[0] + 1e-9)))
    return places


def _joined(padded: Samples, places: NDArray[np.int64], step: int, overlap: int) -> Samples:
    """Pieces (C, n, step + overlap) cross-faded one after the other: (C, n * step)."""
    pieces = sliding_window_view(padded, step + overlap, axis=-1)[:, places]
    fade = np.linspace(0, 1, overlap, endpoint=False, dtype=np.float32)
    body = pieces[..., :step].copy()
    body[:, 1:, :overlap] = body[:, 1:, :overlap] * fade + pieces[:, :-1, step:] * (1 - fade)
    return body.reshape(len(padded), -1)
