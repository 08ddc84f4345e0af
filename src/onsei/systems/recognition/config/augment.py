"""Random changes of the training sounds."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from onsei.config import Fraction, NonNegative, NonNegativeInt, Positive, PositiveInt, options


@options
class Augment:
    """Random changes of the training sounds; never of validation. Zero turns a change off."""

    spec_augment: bool = False
    """SpecAugment: the same as time_warp 5, freq_masks 1 and time_masks 1, where these are not given."""
    speed_volume_perturb: bool = False
    """Tempo and volume: the same as tempo 0.15 and a gain from -6 to +8 dB, where these are not given."""
    speed: Fraction = 0.0
    """Speed and pitch change by a factor drawn from 1 - speed to 1 + speed."""
    trim: Fraction = 0.0
    """Up to this share of the sound is cut off, up to half of it at either end."""
    reverb_prob: Fraction | None = None
    """Probability that a sound is heard in a room; by default 0.3 with rir_dir, 0 without."""
    rir_dir: Path | None = None
    """Folder of recorded impulse responses; without it rooms are simulated."""
    rt60_min: Positive = 0.15
    """Shortest reverberation time of simulated rooms, in seconds to fall by 60 dB."""
    rt60_max: Positive = 0.6
    """Longest reverberation time of simulated rooms, in seconds to fall by 60 dB."""
    drr_min: float = 0.0
    """Lowest ratio of direct to reverberant sound in simulated rooms, in dB."""
    drr_max: float = 12.0
    """Highest ratio of direct to reverberant sound in simulated rooms, in dB."""
    gain: NonNegative = 0.0
    """Volume changes by -gain to +gain, in dB."""
    shift: NonNegative = 0.0
    """Silence of up to this many seconds is put before and after."""
    noise_dir: Path | None = None
    """Folder of noise recordings, searched with the folders below; without it noise is white, pink or brown."""
    noise_prob: Fraction | None = None
    """Probability of added noise; by default 0.4 with noise_dir, 0 without."""
    noise_min: NonNegative | None = None
    """Lowest level of the noise, as a share of the sound's amplitude; by default 0."""
    noise_max: NonNegative | None = None
    """Highest level of the noise, as a share of the sound's amplitude; by default 0.5."""
    noise_snr_min: float | None = None
    """In place of the level, and usual without noise_dir: lowest ratio of sound to noise, in dB; by default 10."""
    noise_snr_max: float | None = None
    """In place of the level: highest ratio of sound to noise, in dB; by default 40."""
    noise_memory: Positive = 128.0
    """Most memory for noise in each worker, in MiB; of a folder that needs more each epoch hears another part."""
    clip: bool = False
    """Cut what passes full scale after these changes, as a recorder does; without it nothing is cut."""
    tempo: Fraction = 0.0
    """Tempo at the same pitch changes by a factor drawn from 1 - tempo to 1 + tempo."""
    tempo_method: Literal["spectrogram", "samples"] = "spectrogram"
    """Where the tempo changes: frames are stretched, which costs next to nothing, or the sound is cut and joined."""
    warp: Fraction = 0.0
    """The frequency axis is stretched by a factor drawn from 1 - warp to 1 + warp, as by another vocal tract."""
    slope: NonNegative = 0.0
    """Spread of a random straight line added over frequency, in deviations of the features."""
    tilt: NonNegative = 0.0
    """Spread of a random curve added over frequency, as by another microphone, in deviations of the features."""
    tilt_knots: PositiveInt = 4
    """Points that this curve runs through, 2 or more."""
    time_warp: NonNegativeInt = 0
    """A moment of each spectrogram is moved by up to this many frames, what is around it stretched (SpecAugment)."""
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
