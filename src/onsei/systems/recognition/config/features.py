"""What a recognizer sees of a sound."""

from __future__ import annotations

from typing import Literal

from onsei.config import Fraction, NonNegative, NonNegativeInt, Positive, PositiveInt, options


@options
class Features:
    """What the network sees of a sound."""

    kind: Literal["spectrogram", "mel", "precomputed"] = "spectrogram"
    """Log spectrogram (DeepSpeech2), log-mel spectrogram, or arrays that the manifest's `features` name."""
    sample_rate: PositiveInt = 16000
    """Sampling rate that every file is brought to, in Hz."""
    window_size: Positive = 0.02
    """Length of the analysis window, in seconds."""
    window_stride: Positive = 0.01
    """Time between windows, in seconds; also the frame period of precomputed features."""
    window: Literal["hamming", "hann", "blackman", "bartlett"] = "hamming"
    """Shape of the analysis window."""
    n_mels: PositiveInt = 80
    """Mel bands of the mel spectrogram."""
    floor: Positive = 2e-4
    """Power added to every mel band of a sound brought to one loudness: fainter noise does not show."""
    lowest: NonNegative = 0.0
    """Where the lowest mel band begins, in Hz: hum below it is not seen."""
    silence: NonNegative = 0.0
    """Mel: cut off both ends where they are fainter than the loudest frame by this many dB; 0 cuts nothing."""
    bin_mean: Fraction = 0.0
    """Mel: share of each band's mean over the utterance that is taken away: recordings sound more alike; 0 to 1."""
    bins: NonNegativeInt = 0
    """Rows of precomputed features; 0 reads them off the first row of the manifest."""
