"""How much generated speech differs from its reference: spectra, intelligibility, quality.

T samples. Every function takes two sounds of the same length and rate, float32 arrays of shape (T,).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from onsei.audio.features import Spectrogram
from onsei.audio.resample import resample
from onsei.errors import DataError, MissingExtraError

Sound = NDArray[np.float32]
RESOLUTIONS = ((512, 50, 240), (1024, 120, 600), (2048, 240, 1200))
"""(n_fft, hop, window) in samples, of Yamamoto et al., Parallel WaveGAN, 2020, table 1."""
_FLOOR = 1e-7
_SHORTEST_STOI = 0.4
"""Seconds below which STOI has too few frames to be defined."""


@dataclass(frozen=True)
class SpectralErrors:
    """Differences of magnitude spectra, means over resolutions."""

    convergence: float
    """Norm of the difference over the norm of the reference, 0 where both are alike."""
    log_magnitude: float
    """Mean absolute difference of the logarithms, in nepers."""

    @property
    def total(self) -> float:
        """Their sum, the multi-resolution STFT loss."""
        return self.convergence + self.log_magnitude


def multi_resolution_stft(reference: Sound, found: Sound) -> SpectralErrors:
    """Multi-resolution STFT distance; source: Yamamoto et al., Parallel WaveGAN, 2020, section 3.2.

    Resolutions whose window the sound does not fill are left out.

    Raises:
        DataError: lengths differ, or the sound is shorter than the shortest window.
    """
    _check(reference, found)
    parts = []
    for n_fft, hop, window in RESOLUTIONS:
        spectrogram = Spectrogram(n_fft, hop, power=1, win_length=window)
        if len(reference) < spectrogram.stft.shortest:
            continue
        true, ours = (spectrogram(torch.from_numpy(np.ascontiguousarray(x))).clamp(_FLOOR) for x in (reference, found))
        convergence = torch.linalg.vector_norm(true - ours) / torch.linalg.vector_norm(true)
        parts.append((convergence.item(), (true.log() - ours.log()).abs().mean().item()))
    if not parts:
        raise DataError(f"a sound of {len(reference)} samples is too short to compare its spectra", "leave it out")
    return SpectralErrors(*(float(np.mean(values)) for values in zip(*parts, strict=True)))


def stoi(reference: Sound, found: Sound, rate: int, *, extended: bool = False) -> float:
    """Short-time objective intelligibility, about 0..1, higher is better; by pystoi.

    Source: Taal et al., 2011; ``extended``: Jensen and Taal, 2016.

    Returns:
        NaN where the sound has too little speech to be measured (30 frames of 25.6 ms above -40 dB are needed).
    """
    from pystoi import stoi as measure

    _check(reference, found)
    if len(reference) < _SHORTEST_STOI * rate or not reference.any():
        return float("nan")
    with warnings.catch_warnings(record=True) as said:  # it warns, and gives 1e-5, where frames are too few
        warnings.simplefilter("always")
        value = float(measure(reference, found, rate, extended=extended))
    return float("nan") if any("Not enough STFT frames" in str(w.message) for w in said) else value


def pesq(reference: Sound, found: Sound, rate: int) -> float:
    """Perceptual evaluation of speech quality, wide band (ITU-T P.862.2), about 1..4.6, higher is better.

    Sounds are brought to 16 kHz; what they lack of the band counts against neither.

    Returns:
        NaN where the measure finds no utterance.

    Raises:
        MissingExtraError: the library pesq is not installed.
    """
    try:
        import pesq as library
    except ImportError:
        raise MissingExtraError("pesq", "quality", "PESQ") from None
    _check(reference, found)
    sounds = [x if rate == 16000 else resample(x, rate, 16000) for x in (reference, found)]
    try:
        return float(library.pesq(16000, *sounds, "wb"))
    except (library.NoUtterancesError, library.BufferTooShortError):
        return float("nan")


def _check(reference: Sound, found: Sound) -> None:
    if reference.shape != found.shape or reference.ndim != 1:
        raise DataError(
            f"expected two sounds of one length, found shapes {reference.shape} and {found.shape}", "cut the longer one"
        )
