"""What songs sound like, whatever they say: their frames beside those of true songs, their voice beside their prompt's.

T samples, F frames, D features of an embedding, N songs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from onsei.audio.resample import resample
from onsei.metrics.frechet import Moments, frechet_distance
from onsei.systems.song.sketch.frames import HOP, RATE, Embedding, embedded, fitted

Sound = NDArray[np.float32]
Wide = NDArray[np.float64]


def frames_of(sound: Sound, rate: int, embedding: Embedding) -> NDArray[np.float32]:
    """Frames (F, D) of sound (T,) at ``rate``; its last frame is filled up with silence."""
    heard = resample(sound, rate, RATE) if len(sound) else sound
    return embedded(fitted(heard, max(1, -(-len(heard) // HOP))), embedding)


def distances(
    sung: Sequence[Sound], true: Sequence[Sound], coded: Sequence[Sound], rate: int, embedding: Embedding, seed: int
) -> dict[str, float]:
    """Fréchet distances to the true songs as the codec has them, ``coded``; all sounds are at ``rate``.

    Of those that were ``sung``; of white noise as loud as the true ones, the control; and of the ``true`` ones as they
    were recorded, which is what the codec costs.
    """
    random = np.random.default_rng(seed)
    noise = [
        (random.standard_normal(len(sound)) * np.sqrt(np.square(sound).mean())).astype(np.float32) for sound in true
    ]
    known = _moments(coded, rate, embedding)
    heaps = {"frechet": sung, "frechet_noise": noise, "frechet_codec": true}
    return {name: frechet_distance(known, _moments(heap, rate, embedding)) for name, heap in heaps.items()}


def voices(sung: Sequence[Sound], prompts: Sequence[Sound], rate: int, embedding: Embedding) -> dict[str, float]:
    """How alike songs and their prompts are, -1 to 1: the cosine of their mean frames, each about its own kind's mean.

    The control takes the prompt of the song before. Nothing where all prompts are one.
    """
    one, other = (_means(sounds, rate, embedding) for sounds in (sung, prompts))
    if len(one) < 2 or np.allclose(other, 0, atol=1e-6):
        return {}
    alike = one @ other.T / np.maximum(np.linalg.norm(one, axis=1)[:, None] * np.linalg.norm(other, axis=1)[None], 1e-9)
    differ = [place for place in range(len(other)) if not np.allclose(other[place], other[place - 1], atol=1e-6)]
    found = {"prompt_match": float(np.diag(alike).mean())}
    return found | {"prompt_match_other": float(np.mean([alike[place, place - 1] for place in differ]))}


def _moments(sounds: Sequence[Sound], rate: int, embedding: Embedding) -> Moments:
    found = Moments(embedding.width)
    for sound in sounds:
        found.add(frames_of(sound, rate, embedding))
    return found


def _means(sounds: Sequence[Sound], rate: int, embedding: Embedding) -> Wide:
    """Mean frames (N, D), about their mean."""
    means: Wide = np.stack([frames_of(sound, rate, embedding).mean(0, dtype=np.float64) for sound in sounds])
    around: Wide = means - means.mean(0)
    return around
