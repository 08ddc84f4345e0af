"""What a mel spectrogram is: one definition for target, loss and conditioning, stored in every model.

T samples, F frames. No torch here: options of systems hold a definition.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from onsei.config import Fraction, NonNegative, Positive, PositiveInt, options
from onsei.errors import ConfigError

Log = Literal["natural", "log10", "decibel"]


@options
class MelDefinition:
    """How sound becomes a log-mel spectrogram. The defaults are those of HiFi-GAN's published configurations."""

    sample_rate: PositiveInt = 22050
    """Sample rate in Hz."""
    n_fft: PositiveInt = 1024
    """Samples of one transform."""
    hop_length: PositiveInt = 256
    """Samples from frame to frame."""
    win_length: PositiveInt = 1024
    """Samples under the Hann window, n_fft at most."""
    n_mels: PositiveInt = 80
    """Mel bands."""
    f_min: NonNegative = 0.0
    """Lower end of the bands in Hz."""
    f_max: Positive | None = 8000.0
    """Upper end of the bands in Hz; null: half the sample rate."""
    scale: Literal["slaney", "htk"] = "slaney"
    """Mel scale."""
    norm: Literal["slaney", "none"] = "slaney"
    """Area of each band's filter: slaney 1, none as wide as the band."""
    quantity: Literal["magnitude", "power"] = "magnitude"
    """What a band sums: magnitudes, or power. Of power the square root is taken, so that both are amplitudes."""
    log: Log = "natural"
    """Logarithm of that amplitude: natural, log10, or decibel (20 log10)."""
    floor: Positive = 1e-5
    """Least amplitude before the logarithm."""
    epsilon: NonNegative = 1e-9
    """Added to each bin's power."""
    padding: Literal["hop", "center", "none"] = "hop"
    """Samples added around the sound, as its mirror image: hop (n_fft - hop_length in all: frame i is centered on the
    middle of its hop), center (n_fft in all: frame i is centered on the beginning of its hop, half a hop earlier), or
    none (frame i begins where its hop begins)."""
    peak: Fraction | None = 0.95
    """Peak that each recording is brought to before anything else; null leaves the level."""
    preemphasis: Fraction = 0.0
    """Pre-emphasis y[t] = x[t] - a x[t-1] of the sound that is analyzed; sound made from the mel is de-emphasized."""

    @property
    def hop(self) -> int:
        """Samples from frame to frame."""
        return self.hop_length

    @property
    def top(self) -> float:
        """Upper end of the bands in Hz."""
        return self.sample_rate / 2 if self.f_max is None else self.f_max

    @property
    def pads(self) -> tuple[int, int]:
        """Samples added before and after the sound."""
        whole = {"hop": self.n_fft - self.hop_length, "center": self.n_fft, "none": 0}[self.padding]
        return whole // 2, whole - whole // 2

    @property
    def start(self) -> int:
        """Where in the recording the F · hop samples begin that a mel of F frames stands for: 0 with padding hop, half
        a hop earlier with center, later with none. This is the half-hop offset between definitions.
        """
        return (self.n_fft - self.hop_length) // 2 - self.pads[0]

    @property
    def shortest(self) -> int:
        """The fewest samples that make a frame."""
        return max(1, self.n_fft - sum(self.pads))

    def frames(self, samples: int) -> int:
        """Frames that ``samples`` samples give; 0 where they are too few."""
        return 0 if samples < self.shortest else 1 + (samples + sum(self.pads) - self.n_fft) // self.hop_length

    def samples(self, frames: int) -> int:
        """Samples that ``frames`` frames stand for."""
        return frames * self.hop_length

    def seconds(self, frames: float) -> float:
        """Seconds that ``frames`` frames last."""
        return frames * self.hop_length / self.sample_rate

    def full_band(self) -> MelDefinition:
        """The same up to half the sample rate: what HiFi-GAN's mel loss compares."""
        return replace(self, f_max=None)

    def check(self) -> None:
        """Raise ConfigError unless the sizes fit together, all faults in one message."""
        faults = []
        if self.win_length > self.n_fft:
            faults.append(f"win_length: expected n_fft ({self.n_fft}) at most, found {self.win_length}")
        if self.hop_length > self.win_length:
            faults.append(
                f"hop_length: expected win_length ({self.win_length}) at most, or samples between the windows are "
                f"never heard; found {self.hop_length}"
            )
        if not self.f_min < self.top <= self.sample_rate / 2:
            faults.append(
                f"f_min, f_max: expected f_min < f_max <= {self.sample_rate / 2:g} Hz (half of sample_rate), "
                f"found {self.f_min:g} and {self.top:g}"
            )
        if self.peak == 0:
            faults.append("peak: expected above 0, found 0; null leaves the level of recordings")
        if self.preemphasis == 1:
            faults.append("preemphasis: expected below 1, or it cannot be taken back; found 1")
        if faults:
            raise ConfigError("mel: " + "\n  ".join(faults), "mend these; sizes count samples")
