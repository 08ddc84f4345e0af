"""Augmentation: functions of sound or spectrogram and a random generator, pure unless ``inplace`` is asked for.

Sounds are float32 (..., T); spectrograms are tensors (..., bins, frames). A range with equal ends is a fixed value.
"""

from onsei.audio.augment.noise import Color, add, level_of, noise
from onsei.audio.augment.noises import NoiseFolder
from onsei.audio.augment.ranges import Range
from onsei.audio.augment.room import convolve, impulse_response, reverb
from onsei.audio.augment.rooms import RoomFolder, Rooms
from onsei.audio.augment.sound import clip, gain, shift, speed
from onsei.audio.augment.spectrogram import (
    at,
    mask_frequencies,
    mask_times,
    moments,
    stretch_time,
    tilt,
    warp_frequencies,
    warp_time,
)
from onsei.audio.augment.tempo import tempo

__all__ = [
    "Color",
    "NoiseFolder",
    "Range",
    "RoomFolder",
    "Rooms",
    "add",
    "at",
    "clip",
    "convolve",
    "gain",
    "impulse_response",
    "level_of",
    "mask_frequencies",
    "mask_times",
    "moments",
    "noise",
    "reverb",
    "shift",
    "speed",
    "stretch_time",
    "tempo",
    "tilt",
    "warp_frequencies",
    "warp_time",
]
