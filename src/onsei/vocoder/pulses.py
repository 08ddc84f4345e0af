"""A voice's pulses at the pitch that a mel shows: the source that makes a voice of a mel with hardly any harmonics, of
which Griffin-Lim makes a whisper.

M mel bands, F frames, C pitches that are compared, T = F · hop samples.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from onsei.audio.features.mel import hz_to_mel, mel_to_hz
from onsei.vocoder.mel import LogMel, MelDefinition, to_natural

Numbers = NDArray[np.float64]

STEADY = 120.0
"""Hz where the mel shows no pitch."""
_LOWEST, _HIGHEST, _COUNT = 70.0, 400.0, 121
_TOP = 1500.0
"""Hz up to which harmonics are looked for; above, they lie closer than the bands."""
_SMOOTH = 3
"""Deviation, in bands, of the smoothing that leaves a spectrum's envelope and takes its harmonics away."""
_DEEP, _DEEPEST = 9.0, 6.0
"""Nepers below the loudest band at which a mel, and the mel of a pulse train, are cut off."""
_SEEN = 0.25
"""Likeness of harmonics, -1 to 1, below which none are believed."""
_LEAP = 20.0
"""What an octave costs from frame to frame, in the likeness of a frame."""
_BREATH = 0.01
"""Deviation of the noise beside pulses of 1."""


class Pulses:
    """Pulse trains for mels of ``definition``.

    In each frame the harmonics, what is left of a log-mel without its envelope, are compared with those of pulse
    trains; the best way through the frames is that of dynamic programming, which does not leap.
    """

    def __init__(self, definition: MelDefinition) -> None:
        definition.check()
        self.mel = definition
        self._pitches: Numbers = np.geomspace(_LOWEST, min(_HIGHEST, definition.sample_rate / 4), _COUNT)
        ends = hz_to_mel(torch.tensor([definition.f_min, definition.top], dtype=torch.float64), definition.scale)
        places = torch.linspace(float(ends[0]), float(ends[1]), definition.n_mels + 2, dtype=torch.float64)
        centers = mel_to_hz(places, definition.scale)[1:-1]
        self._bands = int((centers <= _TOP).sum())
        self._combs, self._lengths = self._made()
        steps = np.abs(np.log2(self._pitches)[:, None] - np.log2(self._pitches)[None])
        self._costs: Numbers = _LEAP * steps

    def __call__(self, mel: Tensor) -> tuple[Tensor, float]:
        """Log-mel (M, F) → pulses of equal height over a little noise, (T,), float32; and the depth of ``followed``."""
        hop = self.mel.hop
        pitch, depth = self.followed(mel)
        moments = (np.arange(len(pitch)) + 0.5) * hop
        course = np.interp(np.arange(len(pitch) * hop), moments, pitch)
        made = train(course, self.mel.sample_rate)
        noise = _BREATH * np.random.default_rng(0).standard_normal(len(made))
        return torch.from_numpy((made + noise).astype(np.float32)), depth

    def pitch(self, mel: Tensor) -> Numbers:
        """Log-mel (M, F) → Hz in each frame, (F,): that of the harmonics it has, or ``STEADY`` throughout."""
        return self.followed(mel)[0]

    def followed(self, mel: Tensor) -> tuple[Numbers, float]:
        """``pitch``, and how deep the mel's harmonics are: 1 as those of pulses, 0 where it has none."""
        natural = to_natural(mel.double(), self.mel).numpy().T  # (F, M)
        steady = np.full(len(natural), STEADY)
        if self._bands < 2 * _SMOOTH or not len(natural):
            return steady, 0.0
        left = _harmonics(np.maximum(natural, natural.max() - _DEEP), self._bands)
        strength = np.linalg.norm(left, axis=1)
        if not strength.any():
            return steady, 0.0
        alike = left @ self._combs.T  # (F, C)
        path = _way(alike / strength.mean(), self._costs)  # loud harmonics count most
        found = alike[np.arange(len(path)), path]
        if found.sum() < _SEEN * strength.sum():
            return steady, 0.0
        loud = strength >= np.median(strength)
        return self._pitches[path], float((found / self._lengths[path])[loud].mean())

    def _made(self) -> tuple[Numbers, Numbers]:
        """Harmonics of a steady pulse train of each pitch, (C, bands), brought to length 1; and their lengths, (C,)."""
        samples = self.mel.n_fft + 4 * self.mel.hop
        trains = np.stack([train(np.full(samples, pitch), self.mel.sample_rate) for pitch in self._pitches])
        mels = to_natural(LogMel(self.mel)(torch.from_numpy(trains.astype(np.float32))), self.mel).double().numpy()
        middle = mels[..., mels.shape[-1] // 2]
        middle = np.maximum(middle, middle.max(axis=1, keepdims=True) - _DEEPEST)
        left = _harmonics(middle, self._bands)
        lengths: Numbers = np.maximum(np.linalg.norm(left, axis=1), 1e-9)
        return left / lengths[:, None], lengths


def train(pitch: Numbers, rate: int) -> Numbers:
    """Pulses of height 1 at ``pitch`` Hz (T,), without anything above half the rate: the sum of all harmonics below."""
    turn = np.exp(2j * np.pi * np.cumsum(pitch) / rate)
    made, harmonic = np.zeros(len(pitch)), np.ones(len(pitch), complex)
    total = np.zeros(len(pitch))
    for number in range(1, int(rate / 2 / max(float(pitch.min(initial=rate)), 1.0)) + 1):
        harmonic = harmonic * turn
        below = number * pitch < rate / 2
        made += harmonic.real * below
        total += below
    return made / np.maximum(total, 1)


def _harmonics(spectra: Numbers, bands: int) -> Numbers:
    """(…, M) → (…, bands): what is left when the envelope is taken away."""
    reach = 2 * _SMOOTH
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / _SMOOTH) ** 2)
    seen = spectra[..., : bands + reach]
    edges = [(0, 0)] * (seen.ndim - 1)
    padded = np.pad(seen, [*edges, (reach, max(0, bands + reach - seen.shape[-1]))], mode="edge")
    near = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=-1)[..., :bands, :]
    left: Numbers = seen[..., :bands] - near @ (weights / weights.sum())
    return left


def _way(gains: Numbers, costs: Numbers) -> NDArray[np.int64]:
    """The way (F,) through ``gains`` (F, C) that has the most of them less the ``costs`` (C, C) of its steps."""
    best, back = gains[0], np.zeros(gains.shape, np.int64)
    for frame in range(1, len(gains)):
        reached = best[None] - costs
        back[frame] = reached.argmax(axis=1)
        best = reached.max(axis=1) + gains[frame]
    way = np.empty(len(gains), np.int64)
    way[-1] = best.argmax()
    for frame in range(len(gains) - 1, 0, -1):
        way[frame - 1] = back[frame, way[frame]]
    return way
