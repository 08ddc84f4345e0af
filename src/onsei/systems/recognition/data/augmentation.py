"""Augmentation of training rows: what the options ask for, as changes of sound and of features.

D feature rows, T frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from onsei.audio import augment as change
from onsei.audio.augment.folder import told
from onsei.data.loader import Draw
from onsei.errors import ConfigError
from onsei.systems.recognition.config import Augment, Features
from onsei.systems.recognition.data.front import by_rows, normalized

Sound = NDArray[np.float32]
_COLORS: tuple[change.Color, ...] = ("white", "pink", "brown")
_TEMPO, _GAIN = 0.15, (-6.0, 8.0)
_LEVELS, _RATIOS = (0.0, 0.5), (10.0, 40.0)
_WARP = 5


@dataclass(frozen=True)
class Loudness:
    """How loud noise is: an amplitude relative to the sound's, or a signal-to-noise ratio in dB."""

    kind: Literal["level", "snr"]
    low: float
    high: float

    def draw(self, random: np.random.Generator) -> float:
        """A level for ``augment.add``."""
        value = random.uniform(self.low, self.high)
        return float(value) if self.kind == "level" else change.level_of(value)


class Changes:
    """Augmentation as the options describe it; the same for a row in an epoch, wherever and whenever it is made.

    Folders are searched and checked here, in the process that starts the training; workers get what was found.

    Args:
        options: what to change.
        features: what is made of the sounds.

    Raises:
        ConfigError: options that contradict each other or the kind of features.
        DataError: a folder without usable sounds.
    """

    def __init__(self, options: Augment, features: Features) -> None:
        self.options, self.rate = options, features.sample_rate
        self.stored = features.kind == "precomputed"
        self.of_sound = bool(changed_by(options))
        """Whether samples change, and not only what is made of them."""
        _check_shares(options)
        if features.kind == "precomputed":
            _refuse_sound_changes(options)
        self.loudness = loudness(options)
        self.noise_prob = _probability(options.noise_prob, 0.4 if options.noise_dir else 0.0)
        self.reverb_prob = _probability(options.reverb_prob, 0.3 if options.rir_dir else 0.0)
        switch = options.speed_volume_perturb
        self.tempo = options.tempo or (_TEMPO if switch else 0.0)
        self.gain = (-options.gain, options.gain) if options.gain else _GAIN if switch else None
        self.freq_masks = options.freq_masks or int(options.spec_augment)
        self.time_masks = options.time_masks or int(options.spec_augment)
        self.time_warp = options.time_warp or (_WARP if options.spec_augment else 0)
        self.noises = self._noises()
        self.rooms = self._rooms()

    def _noises(self) -> change.NoiseFolder | None:
        folder = self.options.noise_dir
        if folder is None or not self.noise_prob:
            return None
        noises = change.NoiseFolder(folder, self.rate, memory=self.options.noise_memory * 2**20)
        _tell("noise_dir", noises)
        return noises

    def _rooms(self) -> change.Rooms | None:
        o = self.options
        rt60 = _ordered("augment.rt60_min", o.rt60_min, "augment.rt60_max", o.rt60_max)
        drr = _ordered("augment.drr_min", o.drr_min, "augment.drr_max", o.drr_max)
        if not self.reverb_prob:
            return None
        if o.rir_dir is None:
            return change.Rooms(self.rate, rt60=rt60, drr=drr)
        rooms = change.RoomFolder(o.rir_dir, self.rate)
        _tell("rir_dir", rooms)
        return rooms

    def sound(self, samples: Sound, draw: Draw) -> Sound:
        """``samples``, shape (T',), changed: shape (T'',). What was given may be written over."""
        o, rate, random = self.options, self.rate, draw.generator("sound")
        if o.speed:
            samples = change.speed(samples, rate, random, factors=(1 - o.speed, 1 + o.speed))
        if o.trim:
            before, after = (random.uniform(0, o.trim / 2, 2) * len(samples)).astype(int)
            samples = samples[before : max(before + 1, len(samples) - after)]
        if self.tempo and o.tempo_method == "samples":
            samples = change.tempo(samples, rate, random, factors=(1 - self.tempo, 1 + self.tempo))
        if self.rooms is not None and random.random() < self.reverb_prob:
            samples = self.rooms(samples, random)
        if self.gain:
            samples = change.gain(samples, rate, random, decibels=self.gain, inplace=samples.flags.writeable)
        if o.shift:
            before, after = (random.uniform(0, o.shift, 2) * rate).astype(int)
            samples = np.pad(samples, (before, after))
        if self.noise_prob and random.random() < self.noise_prob:
            samples = self._noisy(samples, draw, random)
        return change.clip(samples) if o.clip else samples

    def _noisy(self, samples: Sound, draw: Draw, random: np.random.Generator) -> Sound:
        if self.noises is not None:
            noise = self.noises.cut(len(samples), random, (draw.seed, draw.epoch))
            level = self.loudness.draw(random)
            return samples if noise is None else change.add(samples, noise, level)
        color = _COLORS[random.integers(len(_COLORS))]
        low, high = self.loudness.low, self.loudness.high
        if self.loudness.kind == "level":
            low = high = -20 * float(np.log10(max(self.loudness.draw(random), 1e-9)))
        return change.noise(samples, self.rate, random, snr=(low, high), color=color)

    def features(self, features: Tensor, draw: Draw) -> Tensor:
        """``features``, shape (D, T), changed: shape (D, T'). What was given may be written over."""
        random = draw.generator("features")
        return self.voiced(self.timed(features, random), random)

    def timed(self, features: Tensor, random: np.random.Generator) -> Tensor:
        """``features``, shape (D, T), faster, slower or warped in time: shape (D, T')."""
        moments = self.moments(features.shape[-1], random)
        return features if moments is None else change.at(features, moments)

    def moments(self, frames: int, random: np.random.Generator) -> NDArray[np.float64] | None:
        """Where each frame of the sound looks if it is faster, slower or warped in time; None: as it is."""
        tempo, width = self._tempo, self.time_warp
        return change.moments(frames, random, factors=(1 - tempo, 1 + tempo), width=width) if tempo or width else None

    def voiced(self, features: Tensor, random: np.random.Generator) -> Tensor:
        """``features``, shape (D, T), as of another voice and microphone, normalized and with parts blanked: (D, T).

        What was given may be written over.
        """
        o = self.options
        if o.warp:
            features = change.warp_frequencies(features, random, factors=(1 - o.warp, 1 + o.warp))
        if self.stored:  # rows as they lie in their file: each is normalized here, as those of the changed voice are
            features = by_rows(features)
        if o.slope:
            features = change.tilt(features, random, spread=o.slope, knots=2)
        if o.tilt:
            features = change.tilt(features, random, spread=o.tilt, knots=o.tilt_knots)
        if not self.stored and (self._tempo or o.warp or o.slope or o.tilt):
            features = normalized(features, inplace=True)
        return self.masked(features, random)

    @property
    def normalizes_late(self) -> bool:
        """Whether ``voiced`` normalizes, and nothing before that counts on features that are normalized already."""
        return bool(self._tempo or self.options.warp) and not (self.stored or self.options.slope or self.options.tilt)

    @property
    def _tempo(self) -> float:
        return self.tempo if self.options.tempo_method == "spectrogram" else 0.0

    def masked(self, features: Tensor, random: np.random.Generator) -> Tensor:
        """``features``, shape (D, T), with bands of frequency and stretches of time blanked, in their own memory."""
        o = self.options
        change.mask_frequencies(features, random, width=o.freq_width, count=self.freq_masks, inplace=True)
        return change.mask_times(
            features, random, width=o.time_width, count=self.time_masks, portion=o.time_share, inplace=True
        )


def changed_by(options: Augment) -> list[str]:
    """Names of the given options that change samples, so that features cannot be kept from epoch to epoch."""
    o = options
    never = {"noise_dir": o.noise_prob == 0, "rir_dir": o.reverb_prob == 0}
    names = ("speed", "trim", "gain", "shift", "speed_volume_perturb", "noise_dir", "noise_prob", "rir_dir")
    given = [name for name in (*names, "reverb_prob", "clip") if getattr(o, name) and not never.get(name)]
    return [*given, "tempo_method"] if o.tempo and o.tempo_method == "samples" else given


def loudness(options: Augment) -> Loudness:
    """How loud noise is to be.

    Raises:
        ConfigError: both a level and a ratio are given, or the lowest is above the highest.
    """
    o = options
    levels = {"augment.noise_min": o.noise_min, "augment.noise_max": o.noise_max}
    ratios = {"augment.noise_snr_min": o.noise_snr_min, "augment.noise_snr_max": o.noise_snr_max}
    given = [[name for name, value in kind.items() if value is not None] for kind in (levels, ratios)]
    if all(given):
        raise ConfigError(
            f"{', '.join(given[0] + given[1])}: noise has a level or a ratio in dB, not both",
            "give --noise-min and --noise-max, or --noise-snr-min and --noise-snr-max",
            fields=given[0] + given[1],
        )
    by_level = bool(given[0]) or (not given[1] and o.noise_dir is not None)
    chosen, usual = (levels, _LEVELS) if by_level else (ratios, _RATIOS)
    (low, lowest), (high, highest) = chosen.items()
    ends = _ordered(low, usual[0] if lowest is None else lowest, high, usual[1] if highest is None else highest)
    return Loudness("level" if by_level else "snr", *ends)


def _check_shares(options: Augment) -> None:
    for name in ("speed", "tempo", "warp"):
        if getattr(options, name) >= 1:
            raise ConfigError(
                f"augment.{name}: expected a number below 1, found 1", "0.1 is usual", [f"augment.{name}"]
            )
    if options.tilt_knots < 2:
        raise ConfigError(f"augment.tilt_knots: expected 2 or more, found {options.tilt_knots}", "4 is usual")


def _ordered(low_name: str, low: float, high_name: str, high: float) -> tuple[float, float]:
    if low > high:
        raise ConfigError(f"{low_name} is {low:g}, {high_name} is {high:g}", "let the lowest not pass the highest")
    return low, high


def _probability(given: float | None, usual: float) -> float:
    return usual if given is None else given


def _refuse_sound_changes(options: Augment) -> None:
    given = [f"augment.{name}" for name in changed_by(options)]
    if given:
        raise ConfigError(
            f"{', '.join(given)}: they change sounds, but features.kind is precomputed, which hears none",
            "leave them out; tempo, warp, tilt, time_warp and the masks change stored features too",
            fields=given,
        )


def _tell(purpose: str, folder: change.NoiseFolder | change.RoomFolder) -> None:
    note = told(purpose, folder.folder, folder.faults)
    if note:
        print(note)
