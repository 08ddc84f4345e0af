"""What a recognizer sees of a sound."""

from __future__ import annotations

from typing import Literal

from onsei.config import NonNegative, NonNegativeInt, Positive, PositiveInt, options


@options
class Features:
    """What the network sees of a sound."""

    kind: Literal["spectrogram", "mel", "precomputed", "wave"] = "spectrogram"
    """Log spectrogram (DeepSpeech2), log-mel spectrogram, arrays that the manifest's `features` name, or the samples
    themselves, for a pretrained encoder."""
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
    silence: NonNegative = 0.0
    """Mel: cut off both ends where they are fainter than the loudest frame by this many dB; 0 cuts nothing."""
    bins: NonNegativeInt = 0
    """Rows of precomputed features; 0 reads them off the first row of the manifest."""
    standardize: bool = True
    """With wave: bring each sound to mean 0 and deviation 1; training takes it from the encoder's preprocessor."""
    bands: NonNegativeInt = 0
    """Mel bands that precomputed cepstra (from row 0 on, no deltas) are taken back to, so that `augment.warp` and masks
    work along frequency; 0 leaves stored rows as they are."""
    cosines: Literal["orthonormal", "sphinx"] = "orthonormal"
    """Cosine transform that made these cepstra: orthonormal (librosa, Kaldi, HTK) or Sphinx's own."""

    @property
    def period(self) -> float:
        """Seconds from one frame to the next."""
        return 1 / self.sample_rate if self.kind == "wave" else self.window_stride
