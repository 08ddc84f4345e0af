"""Random changes of the training sounds."""

from __future__ import annotations

from onsei.config import Fraction, NonNegative, NonNegativeInt, PositiveInt, options


@options
class Augment:
    """Random changes of the training sounds; never of validation. Zero turns a change off."""

    speed: Fraction = 0.0
    """Speed and pitch change by a factor drawn from 1 - speed to 1 + speed."""
    trim: Fraction = 0.0
    """Up to this share of the sound is cut off, up to half of it at either end."""
    gain: NonNegative = 0.0
    """Volume changes by -gain to +gain, in dB."""
    shift: NonNegative = 0.0
    """Silence of up to this many seconds is put before and after."""
    noise_prob: Fraction = 0.0
    """Probability of added noise."""
    noise_snr_min: float = 10.0
    """Lowest ratio of sound to noise, in dB."""
    noise_snr_max: float = 40.0
    """Highest ratio of sound to noise, in dB."""
    tempo: Fraction = 0.0
    """Tempo at the same pitch changes by a factor drawn from 1 - tempo to 1 + tempo."""
    warp: Fraction = 0.0
    """The frequency axis is stretched by a factor drawn from 1 - warp to 1 + warp, as by another vocal tract."""
    slope: NonNegative = 0.0
    """Spread of a random straight line added over frequency, in deviations of the features."""
    tilt: NonNegative = 0.0
    """Spread of a random curve added over frequency, as by another microphone, in deviations of the features."""
    tilt_knots: PositiveInt = 4
    """Points that this curve runs through, 2 or more."""
    freq_masks: NonNegativeInt = 0
    """Frequency bands blanked in each spectrogram (SpecAugment)."""
    freq_width: PositiveInt = 27
    """Widest such band, in bins."""
    time_masks: NonNegativeInt = 0
    """Stretches of time blanked in each spectrogram (SpecAugment)."""
    time_width: PositiveInt = 70
    """Longest such stretch, in frames."""
    time_share: Fraction = 0.2
    """Longest such stretch as a share of the utterance, whichever is shorter."""
