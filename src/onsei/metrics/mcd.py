"""Mel-cepstral distortion: how far the smooth spectra of two sounds are apart, in dB.

T samples, F frames, M mel bands, K coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from onsei.audio.features import MelSpectrogram
from onsei.errors import DataError

BANDS = 40
ORDER = 13
HOP = 0.005
WINDOW = 0.025
"""Seconds from frame to frame, and under the window."""
QUIET = 40.0
"""Frames of the reference this many dB below its loudest are left out."""
_FLOOR = 1e-10


@dataclass(frozen=True)
class Distortion:
    """Mel-cepstral distortion. Those of many clips are added."""

    frames: int = 0
    """That were compared."""
    total: float = 0.0
    """Sum over them, in dB."""

    def __add__(self, other: Distortion) -> Distortion:
        return Distortion(self.frames + other.frames, self.total + other.total)

    @property
    def mean(self) -> float:
        """In dB; NaN without frames."""
        return self.total / self.frames if self.frames else float("nan")


def mel_cepstral_distortion(
    reference: NDArray[np.float32], found: NDArray[np.float32], rate: int, *, order: int = ORDER
) -> Distortion:
    """Compare two sounds (T,) frame by frame, at the times where they lie: no warping of time.

    (10 / ln 10) · sqrt(2 · Σ (c_k - c'_k)²) over k = 1 … ``order``, the root of the mean squared difference in dB of
    two spectra as smooth as ``order`` coefficients tell; their level (c_0) is left out. Source: Kubichek, Mel-cepstral
    distance measure for objective speech quality assessment, 1993, with log A = c_0 + Σ c_k cos(π k (m + ½) / M) over
    M = 40 mel bands (Slaney's scale, 0 Hz to half the rate) of magnitudes under a Hann window of 25 ms every 5 ms.
    Frames of the reference that are 40 dB fainter than its loudest are not counted. Cepstra of other definitions
    (WORLD, SPTK, another rate) give other values: compare only what was measured alike.

    Args:
        reference, found: float32, at one rate; the longer one is cut.
        rate: samples a second, the clips' own: a band that the sounds do not have would count as distortion.
        order: coefficients that are compared, 39 at most.

    Raises:
        DataError: sounds that are not (T,), shorter than a window, or an order that there is not.
    """
    if not 1 <= order < BANDS:
        raise DataError(f"mel-cepstral distortion: expected an order of 1 to {BANDS - 1}, found {order}", "mend it")
    if reference.ndim != 1 or found.ndim != 1:
        raise DataError(f"expected two sounds (samples,), found shapes {reference.shape} and {found.shape}", "mix down")
    length = min(len(reference), len(found))
    if length < round(rate * WINDOW):
        raise DataError(f"a sound of {length} samples has no mel cepstrum", f"leave out what is under {WINDOW} s")
    true, loudness = _cepstra(reference[:length], rate, order)
    ours, _ = _cepstra(found[:length], rate, order)
    loud = loudness > loudness.max() - QUIET
    apart = 10 / np.log(10) * np.sqrt(2 * ((true - ours) ** 2).sum(axis=0))
    return Distortion(int(loud.sum()), float(apart[loud].sum()))


def _cepstra(samples: NDArray[np.float32], rate: int, order: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coefficients 1 … ``order``, (K, F), and the level of each frame in dB, (F,)."""
    window = round(rate * WINDOW)
    size = 1 << (2 * window - 1).bit_length()  # the lowest bands are narrow: each must hold a bin
    analysis = MelSpectrogram(rate, size, round(rate * HOP), BANDS, power=1, win_length=window, pad_mode="constant")
    mel = analysis(torch.from_numpy(np.ascontiguousarray(samples))[None])[0].numpy().astype(np.float64)
    log = np.log(np.maximum(mel, _FLOOR))
    places = np.pi / BANDS * np.outer(np.arange(1, order + 1), np.arange(BANDS) + 0.5)
    level: NDArray[np.float64] = 10 * np.log10(np.maximum((mel**2).sum(axis=0), _FLOOR))
    return 2 / BANDS * np.cos(places) @ log, level
