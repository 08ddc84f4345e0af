"""Four views of a sound as figures: waveform, spectrum, spectrogram and mel spectrogram."""

from __future__ import annotations

from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from onsei.plots import levels
from onsei.plots.envelope import envelope
from onsei.plots.levels import DB_RANGE, F_MAX, N_MELS, SAMPLES
from onsei.plots.panels import (
    Language,
    LevelsPanel,
    SpectrumPanel,
    WaveformPanel,
    compose,
    linear_limits,
    log_limits,
)
from onsei.plots.sound import mono


def waveform(samples: ArrayLike, rate: int, *, title: str = "", language: Language = "en") -> Figure:
    """Amplitude over seconds. Arguments and errors as for ``spectrogram``."""
    return compose([WaveformPanel(envelope(samples, rate), rate)], title=title, language=language)


def spectrum(
    samples: ArrayLike,
    rate: int,
    *,
    size: int = SAMPLES,
    window: str = "hann",
    f_min: float | None = None,
    f_max: float | None = None,
    db_range: float = DB_RANGE,
    title: str = "",
    language: Language = "en",
) -> Figure:
    """Level in dB below the strongest, over logarithmic frequency, of the first ``size`` samples.

    Other arguments and errors as for ``spectrogram``.
    """
    found = levels.spectrum(samples, rate, size=size, window=window, db_range=db_range)
    low, high = log_limits(rate, f_min, f_max)
    return compose([SpectrumPanel(found, low, high, db_range)], title=title, language=language)


def spectrogram(
    samples: ArrayLike,
    rate: int,
    *,
    n_fft: int | None = None,
    hop_length: int | None = None,
    window: str = "hann",
    f_min: float | None = None,
    f_max: float | None = None,
    log_frequency: bool = False,
    db_range: float = DB_RANGE,
    title: str = "",
    language: Language = "en",
) -> Figure:
    """Level in dB below the strongest, over seconds and Hz.

    Args:
        samples: (T,) or (T, C), from -1 to 1; channels are averaged.
        rate: in Hz.
        n_fft, hop_length, window, db_range: as for ``levels.spectrogram``.
        f_min, f_max: ends of the frequency axis, Hz; default all there is.
        log_frequency: logarithmic frequency axis; begins at 20 Hz unless ``f_min`` says otherwise.
        title: written above.
        language: of the axes' labels, ``en`` or ``ja``.

    Raises:
        DataError, AudioError: the sound is empty or not finite, or a number is out of range.
    """
    found = levels.spectrogram(samples, rate, n_fft=n_fft, hop_length=hop_length, window=window, db_range=db_range)
    limits = log_limits(rate, f_min, f_max) if log_frequency else linear_limits(rate, f_min, f_max)
    seconds = len(mono(samples, rate)) / rate
    panel = LevelsPanel(found, "spectrogram", "log" if log_frequency else "linear", *limits, 0.0, seconds, db_range)
    return compose([panel], title=title, language=language)


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
    title: str = "",
    language: Language = "en",
) -> Figure:
    """Level of each mel band in dB below the strongest, over seconds.

    ``n_mels``, ``f_min`` and ``f_max`` as for ``levels.mel``; other arguments and errors as for ``spectrogram``.
    """
    found = levels.mel(
        samples, rate, n_mels=n_mels, f_min=f_min, f_max=f_max, n_fft=n_fft, hop_length=hop_length, window=window,
        db_range=db_range,
    )  # fmt: skip
    top = min(F_MAX, rate / 2) if f_max is None else f_max
    seconds = len(mono(samples, rate)) / rate
    panel = LevelsPanel(found, "mel", "mel", f_min, top, 0.0, seconds, db_range)
    return compose([panel], title=title, language=language)
