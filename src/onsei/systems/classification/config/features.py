"""What a classifier hears of a sound."""

from __future__ import annotations

from typing import Literal

from onsei.config import NonNegative, Positive, PositiveInt, options


@options
class Features:
    """What the network hears of a sound."""

    kind: Literal["mel", "wave"] = "mel"
    """Log-mel spectrogram, for the network of its own; or the samples themselves, for a pretrained encoder."""
    sample_rate: PositiveInt = 22050
    """Sampling rate that every file is brought to, in Hz."""
    seconds: Positive = 5.0
    """Longest piece that the network hears at once, in seconds. Training cuts a random one out of a longer sound; else
    the whole sound is heard in such pieces, and the mean of their probabilities decides."""
    overlap: NonNegative = 0.0
    """By how much two such pieces overlap at least, in seconds; less than a piece."""
    window_size: Positive = 0.046
    """Mel: length of the analysis window, in seconds."""
    window_stride: Positive = 0.023
    """Mel: time between windows, in seconds."""
    n_mels: PositiveInt = 64
    """Mel bands."""
    f_min: NonNegative = 0.0
    """Lowest frequency of the mel bands, in Hz."""
    f_max: Positive | None = None
    """Highest frequency of the mel bands, in Hz; half the sampling rate by default."""
    floor: Positive = 1e-5
    """Mel: power added to every band: fainter noise does not show."""
    silence: NonNegative = 0.0
    """Mel: frames at both ends that lie this many dB below the loudest are cut off, but for 30 ms; 0: none."""
    level: bool = True
    """Mel: bring each piece to one loudness first, so that the recording level does not matter."""
    standardize: bool = True
    """Wave: bring each piece to mean 0 and deviation 1; training takes it from the encoder's preprocessor."""

    @property
    def samples(self) -> int:
        """Samples of the longest piece."""
        return round(self.seconds * self.sample_rate)
