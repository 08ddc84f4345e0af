"""Features: sound (..., T) → spectra (..., bins, frames), as modules that batch over leading dimensions."""

from onsei.audio.features.cepstra import spectrum
from onsei.audio.features.decibels import amplitude_to_db, power_to_db
from onsei.audio.features.griffinlim import GriffinLim
from onsei.audio.features.mel import MFCC, MelSpectrogram, mel_filters
from onsei.audio.features.spectrogram import LogSpectrogram, Spectrogram
from onsei.audio.features.stft import STFT, InverseSTFT
from onsei.audio.features.windows import WINDOWS, window

__all__ = [
    "MFCC",
    "STFT",
    "WINDOWS",
    "GriffinLim",
    "InverseSTFT",
    "LogSpectrogram",
    "MelSpectrogram",
    "Spectrogram",
    "amplitude_to_db",
    "mel_filters",
    "power_to_db",
    "spectrum",
    "window",
]
