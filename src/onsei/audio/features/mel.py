"""Mel filters, mel spectrograms and mel-frequency cepstral coefficients."""

from __future__ import annotations

from itertools import pairwise
from math import pi, sqrt
from typing import Any, Literal

import torch
from torch import Tensor, nn

from onsei.audio.features.decibels import power_to_db
from onsei.audio.features.spectrogram import Spectrogram
from onsei.errors import AudioError

Scale = Literal["slaney", "htk"]
_BREAK = 1000.0  # Hz; Slaney's scale is linear below, logarithmic above
_LINEAR = 200 / 3  # Hz a mel
_LOG = torch.tensor(6.4, dtype=torch.float64).log() / 27
_BLOCKS = 4
"""Parts that the filters are multiplied in: each part's bands hear few of the bins."""


def hz_to_mel(hertz: Tensor, scale: Scale = "slaney") -> Tensor:
    """Frequencies in Hz → mels: O'Shaughnessy's formula as in HTK, or that of Slaney's Auditory Toolbox (1998)."""
    if scale == "htk":
        return 2595 * torch.log10(1 + hertz / 700)
    return torch.where(
        hertz < _BREAK, hertz / _LINEAR, _BREAK / _LINEAR + (hertz.clamp(min=_BREAK) / _BREAK).log() / _LOG
    )


def mel_to_hz(mels: Tensor, scale: Scale = "slaney") -> Tensor:
    """Mels → frequencies in Hz; the inverse of ``hz_to_mel``."""
    if scale == "htk":
        return 700 * (10 ** (mels / 2595) - 1)
    knee = _BREAK / _LINEAR
    return torch.where(mels < knee, mels * _LINEAR, _BREAK * ((mels - knee) * _LOG).exp())


def mel_filters(
    sample_rate: int,
    n_fft: int,
    n_mels: int = 80,
    f_min: float = 0.0,
    f_max: float | None = None,
    scale: Scale = "slaney",
    norm: Literal["slaney"] | None = "slaney",
) -> Tensor:
    """Triangular filters (n_mels, n_fft / 2 + 1), as ``librosa.filters.mel``; ``norm="slaney"`` gives each the area 1.

    Raises:
        AudioError: limits outside 0 … half the rate, an unknown scale or norm, or a filter too narrow to hold a bin.
    """
    top = sample_rate / 2 if f_max is None else f_max
    if not 0 <= f_min < top <= sample_rate / 2 or n_mels < 1:
        raise AudioError(
            f"mel filters: expected 0 <= f_min < f_max <= {sample_rate / 2:g} Hz and n_mels > 0; "
            f"found {f_min:g}, {top:g} and {n_mels}",
            "mend the limits",
        )
    if scale not in ("slaney", "htk") or norm not in ("slaney", None):
        raise AudioError(
            f"mel filters: expected slaney or htk, found scale {scale!r}, norm {norm!r}", "choose one of these"
        )
    ends = hz_to_mel(torch.tensor([f_min, top], dtype=torch.float64), scale)
    corners = mel_to_hz(torch.linspace(float(ends[0]), float(ends[1]), n_mels + 2, dtype=torch.float64), scale)
    bins = torch.arange(n_fft // 2 + 1, dtype=torch.float64) * sample_rate / n_fft
    slopes = corners[:, None] - bins  # (n_mels + 2, bins)
    widths = corners.diff()[:, None]
    filters = torch.minimum(-slopes[:-2] / widths[:-1], slopes[2:] / widths[1:]).clamp(min=0)
    empty = int((filters.amax(1) == 0).sum())
    if empty:
        raise AudioError(
            f"mel filters: {empty} of {n_mels} hold no frequency of n_fft {n_fft} at {sample_rate} Hz",
            "take fewer n_mels, a larger n_fft or a higher f_min",
        )
    if norm == "slaney":
        filters = filters * (2 / (corners[2:] - corners[:-2]))[:, None]
    return filters.float()


class MelSpectrogram(nn.Module):
    """Mel spectrogram; equals ``librosa.feature.melspectrogram`` with the same padding.

    Args:
        sample_rate: in Hz.
        n_fft, hop_length: as for ``STFT``, in samples.
        n_mels, f_min, f_max, scale, norm: as for ``mel_filters``.
        power: 1 sums magnitudes, 2 power.
        framing: further arguments of ``STFT``.
    """

    filters: Tensor
    _twice: Tensor

    def __init__(
        self,
        sample_rate: int = 16000,
        n_fft: int = 400,
        hop_length: int = 160,
        n_mels: int = 80,
        *,
        f_min: float = 0.0,
        f_max: float | None = None,
        scale: Scale = "slaney",
        norm: Literal["slaney"] | None = "slaney",
        power: float = 2.0,
        **framing: Any,
    ) -> None:
        super().__init__()
        self.spectrogram = Spectrogram(n_fft, hop_length, power=power, **framing)
        filters = mel_filters(sample_rate, n_fft, n_mels, f_min, f_max, scale, norm)
        self.register_buffer("filters", filters.T.contiguous(), persistent=False)  # (bins, n_mels)
        self.register_buffer("_twice", filters.T.repeat_interleave(2, 0), persistent=False)  # (2 bins, n_mels)
        self._spans = spans(filters)

    def frames(self, samples: int) -> int:
        """Number of frames that ``samples`` samples give."""
        return self.spectrogram.frames(samples)

    def forward(self, samples: Tensor) -> Tensor:
        """``samples`` (..., T) → (..., n_mels, frames). Errors as for ``STFT``."""
        if self.spectrogram.power == 2:
            # Real and imaginary parts lie side by side and are summed by the filters: faster on a CPU than apart.
            parts = torch.view_as_real(self.spectrogram.stft.spectra(samples)).flatten(-2)
            rows, filters, values = parts.square() if parts.requires_grad else parts.square_(), self._twice, 2
        else:
            rows, filters, values = self.spectrogram.rows(samples), self.filters, 1
        spans = [(low * values, high * values, first, last) for low, high, first, last in self._spans]
        bands = [rows[..., low:high] @ filters[low:high, first:last] for low, high, first, last in spans]
        return torch.cat(bands, -1).transpose(-1, -2)


class MFCC(nn.Module):
    """Mel-frequency cepstral coefficients; equals ``librosa.feature.mfcc``.

    That is the orthonormal DCT-II of a mel power spectrogram in decibels, 80 dB deep.

    Args:
        sample_rate: in Hz.
        n_mfcc: coefficients kept.
        lifter: L > 0 weights coefficient n = 1, 2, … by 1 + L/2 · sin(πn/L); 0 leaves them.
        mel: further arguments of ``MelSpectrogram``.

    Raises:
        AudioError: more coefficients than mels, a negative lifter, or as for ``MelSpectrogram``.
    """

    basis: Tensor

    def __init__(self, sample_rate: int = 16000, n_mfcc: int = 13, *, lifter: float = 0.0, **mel: Any) -> None:
        super().__init__()
        self.mel = MelSpectrogram(sample_rate, **mel)
        n_mels = self.mel.filters.shape[1]
        if not 0 < n_mfcc <= n_mels or lifter < 0:
            raise AudioError(
                f"expected 0 < n_mfcc <= n_mels ({n_mels}) and lifter >= 0; found {n_mfcc} and {lifter}", "mend these"
            )
        self.register_buffer("basis", cosines(n_mels, n_mfcc, lifter), persistent=False)

    def frames(self, samples: int) -> int:
        """Number of frames that ``samples`` samples give."""
        return self.mel.frames(samples)

    def forward(self, samples: Tensor) -> Tensor:
        """``samples`` (..., T) → (..., n_mfcc, frames). Errors as for ``STFT``."""
        cepstra: Tensor = self.basis @ power_to_db(self.mel(samples))
        return cepstra


def spans(filters: Tensor) -> list[tuple[int, int, int, int]]:
    """Blocks of ``filters``, (n_mels, bins), that hold all that is not 0: first and last bin, first and last filter.

    Nearly all of the filters is 0; in blocks the product is twice as fast on a CPU.
    """
    edges = torch.linspace(0, len(filters), min(_BLOCKS, len(filters)) + 1).round().long().tolist()
    blocks = []
    for first, last in pairwise(edges):
        heard = filters[first:last].amax(0).nonzero()
        blocks.append((int(heard[0]), int(heard[-1]) + 1, first, last))
    return blocks


def cosines(size: int, kept: int, lifter: float) -> Tensor:
    """The first ``kept`` rows of the orthonormal DCT-II of ``size`` values, liftered: (kept, size)."""
    order = torch.arange(kept, dtype=torch.float64)[:, None]
    basis = torch.cos(pi / size * order * (torch.arange(size, dtype=torch.float64) + 0.5)) * sqrt(2 / size)
    basis[0] /= sqrt(2)
    if lifter > 0:
        basis = basis * (1 + lifter / 2 * torch.sin(pi * (order + 1) / lifter))
    return basis.float()
