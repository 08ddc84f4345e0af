"""Each kind of augmentation on one sound, so that it can be heard.

T samples, D bins, F frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from onsei.audio import augment as change
from onsei.audio.augment.folder import told
from onsei.audio.features import STFT, GriffinLim
from onsei.audio.samples import Samples
from onsei.demo.listening import AugmentSound

_WINDOW, _HOP = 0.04, 0.01
_BINS = 161
"""Bins of recognition's spectrogram, which the widths of masks are told in."""
_LIMIT = 0.999
Change = Callable[[Samples, int, Generator, AugmentSound], tuple[Samples, str]]


@dataclass(frozen=True)
class Heard:
    """A sound and what was done to it."""

    name: str
    about: str
    """What was drawn."""
    samples: Samples
    """Shape (T,), within ±1."""
    rate: int
    """Hz."""

    @property
    def told(self) -> str:
        """One line about it."""
        return f"{self.name}, {self.about}; {len(self.samples) / self.rate:.2f} s at {self.rate} Hz"


def made(name: str, samples: Samples, rate: int, options: AugmentSound) -> Heard:
    """``samples`` (T,) changed by the kind ``name``, and brought within full scale. Errors as in ``onsei.audio``."""
    random = np.random.default_rng([options.seed, *name.encode()])
    changed, about = CHANGES[name](samples, rate, random, options)
    peak = float(np.abs(changed).max())
    if peak > 1:
        over = f"{100 * float((np.abs(changed) > 1).mean()):.2g} % of it passed full scale"
        if options.clip:
            changed, about = change.clip(changed), f"{about}; {over} and was cut"
        else:
            down = -20 * np.log10(_LIMIT / peak)
            changed, about = changed * np.float32(_LIMIT / peak), f"{about}; {over}: turned down by {down:.1f} dB"
    return Heard(name, about, changed, rate)


def _speed(samples: Samples, rate: int, random: Generator, options: AugmentSound) -> tuple[Samples, str]:
    factor = options.factor or random.uniform(0.9, 1.1)
    return change.speed(samples, rate, random, factors=(factor, factor)), f"factor {factor:.3f}"


def _tempo(samples: Samples, rate: int, random: Generator, options: AugmentSound) -> tuple[Samples, str]:
    factor = options.factor or random.uniform(0.85, 1.15)
    return change.tempo(samples, rate, random, factors=(factor, factor)), f"factor {factor:.3f}"


def _gain(samples: Samples, rate: int, random: Generator, options: AugmentSound) -> tuple[Samples, str]:
    by = random.uniform(-6, 8) if options.decibels is None else options.decibels
    return change.gain(samples, rate, random, decibels=(by, by)), f"{by:+.1f} dB"


def _shift(samples: Samples, rate: int, random: Generator, options: AugmentSound) -> tuple[Samples, str]:
    by = random.uniform(-0.3, 0.3) if options.seconds is None else options.seconds
    return change.shift(samples, rate, random, seconds=(by, by)), f"{by:+.3f} s"


def _clip(samples: Samples, rate: int, random: Generator, options: AugmentSound) -> tuple[Samples, str]:
    by = 6.0 if options.decibels is None else options.decibels
    peak = max(float(np.abs(samples).max()), 1e-9)
    return change.clip(samples * np.float32(10 ** (by / 20) / peak)), f"{by:g} dB above full scale"


def _noise(samples: Samples, rate: int, random: Generator, options: AugmentSound) -> tuple[Samples, str]:
    if options.noise_path is None:
        level = options.noise_level
        snr = 15.0 if options.snr is None else options.snr
        snr = snr if level is None else -20 * float(np.log10(max(level, 1e-9)))
        about = f"{options.color}, {snr:.1f} dB below the sound"
        return change.noise(samples, rate, random, snr=(snr, snr), color=options.color), about
    level = change.level_of(options.snr) if options.snr is not None else options.noise_level
    level = 1.0 if level is None else level
    folder = change.NoiseFolder(options.noise_path, rate)
    note = told("--noise-path", options.noise_path, folder.faults)
    if note:
        print(note)
    noise = folder.cut(len(samples), random)
    if noise is None:
        return samples, f"{options.noise_path} is silent where it was heard: nothing was added"
    ratio = f"{0.0 - 20 * np.log10(level):.1f} dB below the sound" if level else "nothing"
    return change.add(samples, noise, level), f"{options.noise_path.name}, level {level:.3g} ({ratio})"


def _reverb(samples: Samples, rate: int, random: Generator, options: AugmentSound) -> tuple[Samples, str]:
    if options.rir_path is not None:
        rooms = change.RoomFolder(options.rir_path, rate)
        note = told("--rir-path", options.rir_path, rooms.faults)
        if note:
            print(note)
        return rooms(samples, random), f"a room of {options.rir_path.name}"
    rt60 = options.rt60 or random.uniform(0.15, 0.6)
    drr = random.uniform(0, 12) if options.drr is None else options.drr
    wet = change.reverb(samples, rate, random, rt60=(rt60, rt60), drr=(drr, drr))
    return wet, f"falls by 60 dB in {rt60:.2f} s, direct to reverberant {drr:.1f} dB"


def _by_spectrogram(alter: Callable[[Tensor, Generator, AugmentSound], tuple[Tensor, str]]) -> Change:
    """A change of normalized log spectrograms (D, F) as one of sounds: by Griffin-Lim from the changed magnitudes."""

    def changed(samples: Samples, rate: int, random: Generator, options: AugmentSound) -> tuple[Samples, str]:
        size, hop = max(16, 2 * round(_WINDOW * rate / 2)), max(1, round(_HOP * rate))
        logs = STFT(size, hop, pad_mode="constant")(torch.from_numpy(samples)).abs().log1p()
        mean, deviation = logs.mean(), logs.std().clamp(min=1e-5)
        features, about = alter((logs - mean) / deviation, random, options)
        magnitude = (features * deviation + mean).expm1().clamp(min=0)
        same = features.shape == logs.shape
        length = len(samples) if same else max(1, (features.shape[-1] - 1) * hop)
        sound: Samples = GriffinLim(size, hop, iterations=60, pad_mode="constant")(magnitude, length).numpy()
        return sound, about

    return changed


def _width(usual: int, options: AugmentSound) -> int:
    return options.width or usual


def _bins(features: Tensor, width: int) -> int:
    return max(1, round(width * features.shape[0] / _BINS))


def _stretch(features: Tensor, random: Generator, options: AugmentSound) -> tuple[Tensor, str]:
    factor = options.factor or random.uniform(0.85, 1.15)
    return change.stretch_time(features, random, factors=(factor, factor)), f"factor {factor:.3f}"


def _time_warp(features: Tensor, random: Generator, options: AugmentSound) -> tuple[Tensor, str]:
    width = _width(5, options)
    return change.warp_time(features, random, width=width), f"by up to {width} frames"


def _freq_mask(features: Tensor, random: Generator, options: AugmentSound) -> tuple[Tensor, str]:
    width = _width(27, options)
    return change.mask_frequencies(features, random, width=_bins(features, width)), f"up to {width} bins of {_BINS}"


def _time_mask(features: Tensor, random: Generator, options: AugmentSound) -> tuple[Tensor, str]:
    width = _width(70, options)
    return change.mask_times(features, random, width=width, portion=0.2), f"up to {width} frames, a fifth of the sound"


def _spec_augment(features: Tensor, random: Generator, options: AugmentSound) -> tuple[Tensor, str]:
    features = change.warp_time(features, random, width=5)
    features = change.mask_frequencies(features, random, width=_bins(features, 27))
    return change.mask_times(features, random, width=70, portion=0.2), "warp 5, masks up to 27 bins and 70 frames"


def _warp(features: Tensor, random: Generator, options: AugmentSound) -> tuple[Tensor, str]:
    factor = options.factor or random.uniform(0.9, 1.1)
    return change.warp_frequencies(features, random, factors=(factor, factor)), f"factor {factor:.3f}"


def _tilt(features: Tensor, random: Generator, options: AugmentSound) -> tuple[Tensor, str]:
    spread = 0.3 if options.spread is None else options.spread
    return change.tilt(features, random, spread=spread), f"spread {spread:g}"


CHANGES: Mapping[str, Change] = {
    "speed": _speed,
    "tempo": _tempo,
    "stretch": _by_spectrogram(_stretch),
    "gain": _gain,
    "shift": _shift,
    "noise": _noise,
    "reverb": _reverb,
    "clip": _clip,
    "time-warp": _by_spectrogram(_time_warp),
    "freq-mask": _by_spectrogram(_freq_mask),
    "time-mask": _by_spectrogram(_time_mask),
    "spec-augment": _by_spectrogram(_spec_augment),
    "warp": _by_spectrogram(_warp),
    "tilt": _by_spectrogram(_tilt),
}
"""What can be heard, by name."""
