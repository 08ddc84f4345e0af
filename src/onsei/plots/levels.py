"""What a sound's pictures show, as numbers: its spectrum, spectrogram and mel spectrogram in decibels.

They equal librosa's, are computed in double precision, and take sound of any length in blocks.
Shapes: T samples, F frames, C columns (one frame each, or several where there would be too many), bins.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from onsei.audio.features.decibels import power_to_db
from onsei.audio.features.mel import MelSpectrogram, hz_to_mel, mel_to_hz
from onsei.audio.features.spectrogram import Spectrogram
from onsei.audio.features.windows import window as make_window
from onsei.errors import DataError
from onsei.plots.sound import mono

SAMPLES = 4096
"""Samples under the window of a spectrum."""
N_MELS = 128
F_MAX = 8000.0
"""Hz; the upper end of mel bands, where half the sample rate is not lower."""
DB_RANGE = 80.0
_N_FFT = 2048
_HIGHEST_RATE = 48000
_LARGEST_N_FFT = 1 << 17
_AT_ONCE = 1 << 20
"""Values transformed at once."""
_SILENCE = 1e-10
"""Power at or below this is not told apart from nothing, as in librosa."""


@dataclass(frozen=True)
class Spectrum:
    """Levels of a stretch of sound by frequency."""

    decibels: NDArray[np.float32]
    """(bins,), relative to the strongest."""
    frequencies: NDArray[np.float64]
    """(bins,) in Hz, from 0 to half the sample rate."""
    samples: int
    """How many samples the stretch has."""


@dataclass(frozen=True)
class Levels:
    """Levels of a sound by frequency and time."""

    decibels: NDArray[np.float32]
    """(bins, C), relative to the strongest of all."""
    frequencies: NDArray[np.float64]
    """(bins,) in Hz: of the bins, or the centers of the mel bands."""
    times: NDArray[np.float64]
    """(C,) in seconds from the first sample on: the middle of each column."""
    frames: int
    """Frames in a column, of which the strongest power is shown; 1 unless a limit was passed."""
    step: float
    """Seconds from column to column."""


def default_n_fft(rate: int) -> int:
    """2048; at rates above 48 kHz twice, four times … as much, so that it still lasts as long."""
    doublings = max(0, -(-rate // _HIGHEST_RATE) - 1).bit_length()
    return _N_FFT << doublings


def spectrum(
    samples: ArrayLike, rate: int, *, size: int = SAMPLES, window: str = "hann", db_range: float = DB_RANGE
) -> Spectrum:
    """The discrete Fourier transform of the first ``size`` samples under a symmetric window, in dB.

    Equals ``librosa.amplitude_to_db(abs(rfft(hanning(n) * samples[:n])), ref=np.max)``.

    Args:
        samples: (T,) or (T, C); channels are averaged. Fewer than ``size`` are taken as they are.
        rate: in Hz.
        size: samples under the window.
        window: ``hann``, ``hamming``, ``blackman`` or ``bartlett``.
        db_range: nothing is left further than this below the strongest, dB. Silence lies there.

    Raises:
        DataError: the sound is empty or not finite, or ``size`` or ``db_range`` is not above 0.
    """
    if size < 1:
        raise DataError(f"expected one sample or more under the window, found {size}", "choose another size")
    part = torch.from_numpy(mono(samples, rate)[:size]).double()
    shape = make_window(window, len(part), symmetric=True, dtype=torch.float64)
    power = torch.fft.rfft(part * shape).abs().square()
    return Spectrum(
        _decibels(power[:, None], db_range)[:, 0],
        np.asarray(np.arange(len(power)) * (rate / len(part)), np.float64),
        len(part),
    )


def spectrogram(
    samples: ArrayLike,
    rate: int,
    *,
    n_fft: int | None = None,
    hop_length: int | None = None,
    window: str = "hann",
    db_range: float = DB_RANGE,
) -> Levels:
    """Short-time Fourier transform in dB; equals ``librosa.amplitude_to_db(abs(librosa.stft(samples)), ref=np.max)``.

    Args:
        samples: (T,) or (T, C); channels are averaged.
        rate: in Hz.
        n_fft: samples under the window; default as ``default_n_fft`` says.
        hop_length: samples from frame to frame; default a quarter of ``n_fft``.
        window: ``hann``, ``hamming``, ``blackman`` or ``bartlett``.
        db_range: nothing is left further than this below the strongest, dB. Silence lies there.

    Raises:
        DataError, AudioError: sound or sizes that do not do.
    """
    meter = SpectrogramMeter(rate, n_fft, hop_length, window, limit=None)
    meter.add(mono(samples, rate))
    return meter.levels(db_range)


def mel(
    samples: ArrayLike,
    rate: int,
    *,
    n_mels: int = N_MELS,
    f_min: float = 0.0,
    f_max: float | None = None,
    n_fft: int | None = None,
    hop_length: int | None = None,
    window: str = "hann",
    db_range: float = DB_RANGE,
) -> Levels:
    """Mel spectrogram in dB; equals ``librosa.power_to_db(librosa.feature.melspectrogram(…), ref=np.max)``.

    Args:
        samples, rate, n_fft, hop_length, window, db_range: as for ``spectrogram``.
        n_mels: number of mel bands.
        f_min: lower end of the bands, Hz.
        f_max: upper end of the bands, Hz; default 8000, or half the sample rate where that is lower.

    Raises:
        DataError, AudioError: sound or sizes that do not do, or bands too narrow to hold a frequency.
    """
    meter = MelMeter(rate, n_fft, hop_length, window, n_mels=n_mels, f_min=f_min, f_max=f_max, limit=None)
    meter.add(mono(samples, rate))
    return meter.levels(db_range)


class Meter:
    """Gathers the power of a sound that comes in blocks, in bounded memory.

    Args:
        spectra: (..., T) → (..., bins, frames), power, not centered.
        frequencies: (bins,) in Hz.
        rate: in Hz.
        n_fft, hop_length: samples.
        limit: columns that may be kept. Where there are more frames, neighbors are joined two by two, as often as it
            takes, to the stronger one.
    """

    def __init__(
        self, spectra: torch.nn.Module, frequencies: Tensor, rate: int, n_fft: int, hop_length: int, limit: int | None
    ) -> None:
        self._spectra = spectra
        self._frequencies = frequencies.double().numpy()
        self._rate, self._n_fft, self._hop = rate, n_fft, hop_length
        self._limit = None if limit is None else max(2, min(limit, (1 << 24) // len(frequencies)))
        self._waiting = torch.zeros(n_fft // 2, dtype=torch.float64)  # sound is centered between zeros, as in librosa
        self._skipped = 0  # samples to leave out, where the hop is longer than the window
        self._columns: list[Tensor] = []  # each (some, bins)
        self._count = 0
        self._joined = 1
        self._open = torch.zeros(0, len(frequencies), dtype=torch.float64)  # (frames, bins), too few for a column

    def add(self, block: NDArray[np.float32]) -> None:
        """Take the next samples, (T,)."""
        at_once = max(1, _AT_ONCE // self._n_fft) * self._hop + self._n_fft
        for start in range(0, len(block), at_once):
            self._take(torch.from_numpy(block[start : start + at_once]).double())

    def levels(self, db_range: float = DB_RANGE) -> Levels:
        """End the sound, and give its levels."""
        self._take(torch.zeros(self._n_fft // 2, dtype=torch.float64))
        if len(self._open):
            self._columns.append(self._open.amax(0, keepdim=True))
        decibels = _decibels(torch.cat(self._columns).T, db_range)
        hop = self._hop / self._rate
        middles = np.arange(decibels.shape[1]) * self._joined + (self._joined - 1) / 2
        times = np.asarray(hop * middles, np.float64)
        return Levels(decibels, self._frequencies, times, self._joined, self._joined * hop)

    def _take(self, more: Tensor) -> None:
        sound = torch.cat([self._waiting, more[self._skipped :]])
        self._skipped = max(0, self._skipped - len(more))
        frames = max(0, (len(sound) - self._n_fft) // self._hop + 1)
        if frames:
            power = self._spectra(sound[: (frames - 1) * self._hop + self._n_fft])
            self._join(torch.cat([self._open, power.T]))
        self._skipped += max(0, frames * self._hop - len(sound))
        self._waiting = sound[frames * self._hop :].clone()

    def _join(self, power: Tensor) -> None:
        """Make columns of frames (F, bins); what is left over stays open."""
        whole = len(power) // self._joined
        self._open = power[whole * self._joined :].clone()
        self._columns.append(power[: whole * self._joined].reshape(whole, self._joined, power.shape[1]).amax(1))
        self._count += whole
        while self._limit is not None and self._count > self._limit:
            kept = torch.cat(self._columns)
            even = self._count // 2 * 2
            left = kept[even:].repeat_interleave(self._joined, 0)  # waits for its neighbor
            self._open = torch.cat([left, self._open])
            self._columns = [torch.maximum(kept[0:even:2], kept[1:even:2])]
            self._count, self._joined = even // 2, self._joined * 2


class SpectrogramMeter(Meter):
    """A ``Meter`` of bins. Arguments as for ``spectrogram``."""

    def __init__(self, rate: int, n_fft: int | None, hop_length: int | None, window: str, *, limit: int | None) -> None:
        n_fft, hop_length = _sizes(rate, n_fft, hop_length)
        module = Spectrogram(n_fft, hop_length, power=2, window=window, center=False).double()
        module.stft.window = make_window(window, n_fft, dtype=torch.float64)
        bins = torch.fft.rfftfreq(n_fft, 1 / rate, dtype=torch.float64)
        super().__init__(module, bins, rate, n_fft, hop_length, limit)


class MelMeter(Meter):
    """A ``Meter`` of mel bands. Arguments as for ``mel``."""

    def __init__(
        self,
        rate: int,
        n_fft: int | None,
        hop_length: int | None,
        window: str,
        *,
        n_mels: int,
        f_min: float,
        f_max: float | None,
        limit: int | None,
    ) -> None:
        n_fft, hop_length = _sizes(rate, n_fft, hop_length)
        self.f_min, self.f_max = f_min, min(F_MAX, rate / 2) if f_max is None else f_max
        module = MelSpectrogram(
            rate, n_fft, hop_length, n_mels, f_min=f_min, f_max=self.f_max, window=window, center=False
        ).double()
        module.spectrogram.stft.window = make_window(window, n_fft, dtype=torch.float64)
        ends = hz_to_mel(torch.tensor([f_min, self.f_max], dtype=torch.float64))
        centers = mel_to_hz(torch.linspace(float(ends[0]), float(ends[1]), n_mels + 2, dtype=torch.float64))[1:-1]
        super().__init__(module, centers, rate, n_fft, hop_length, limit)


def feed(blocks: Iterable[NDArray[np.float32]], *meters: Meter) -> None:
    """Let each of ``meters`` take all of ``blocks``."""
    for block in blocks:
        for meter in meters:
            meter.add(block)


def _sizes(rate: int, n_fft: int | None, hop_length: int | None) -> tuple[int, int]:
    size = default_n_fft(rate) if n_fft is None else n_fft
    hop = max(1, size // 4) if hop_length is None else hop_length
    if not 2 <= size <= _LARGEST_N_FFT or hop < 1:
        raise DataError(
            f"expected 2 <= n_fft <= {_LARGEST_N_FFT} and hop_length >= 1; found {size} and {hop}", "mend the sizes"
        )
    return size, hop


def _decibels(power: Tensor, db_range: float) -> NDArray[np.float32]:
    """Levels relative to the strongest value of ``power`` (bins, C); all at the lower end in silence."""
    if not db_range > 0:
        raise DataError(f"db_range: expected decibels above 0, found {db_range:g}", "80 is usual")
    strongest = float(power.max())
    if strongest <= _SILENCE:
        return np.full(tuple(power.shape), -db_range, np.float32)
    found: NDArray[np.float32] = power_to_db(power, strongest, _SILENCE, db_range).float().numpy()
    return found
