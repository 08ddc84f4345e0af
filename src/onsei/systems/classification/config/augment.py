"""Random changes of the training sounds."""

from __future__ import annotations

from onsei.config import Fraction, NonNegative, NonNegativeInt, PositiveInt, options


@options
class Augment:
    """Random changes of the training sounds; never of validation. Zero turns a change off."""

    shift: Fraction = 0.0
    """Time shift: the end of a sound comes before its begin, moved by up to this share of its length."""
    mixup: NonNegative = 0.0
    """Mixup: sounds are blended in pairs, by shares from a beta distribution with this parameter; 0.2 is usual."""
    gain: NonNegative = 0.0
    """Wave: volume changes by -gain to +gain, in dB."""
    speed: Fraction = 0.0
    """Mel: sounds are played at a factor of their speed, drawn from 1 - speed to 1 + speed; pitch changes with it."""
    trim: Fraction = 0.0
    """Mel: up to half this share of a sound is cut off at each end."""
    noise_prob: Fraction = 0.0
    """Mel: share of the sounds that get white, pink or brown noise."""
    noise_snr_min: float = 0.0
    """Lowest signal-to-noise ratio, in dB."""
    noise_snr_max: float = 30.0
    """Highest signal-to-noise ratio, in dB."""
    tempo: Fraction = 0.0
    """Mel: tempo at the same pitch changes by a factor drawn from 1 - tempo to 1 + tempo."""
    warp: Fraction = 0.0
    """Mel: the frequency axis is stretched by a factor drawn from 1 - warp to 1 + warp."""
    tilt: NonNegative = 0.0
    """Mel: spread of a random curve added over frequency, as by another microphone, in deviations of the features."""
    tilt_knots: PositiveInt = 4
    """Points that this curve runs through, 2 or more."""
    freq_masks: NonNegativeInt = 0
    """Mel: frequency bands blanked in each spectrogram (SpecAugment)."""
    freq_width: PositiveInt = 8
    """Widest such band, in mel bands."""
    time_masks: NonNegativeInt = 0
    """Stretches of time blanked in each sound (SpecAugment)."""
    time_share: Fraction = 0.1
    """Longest such stretch, as a share of the sound."""
