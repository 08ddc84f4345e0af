"""Augmentation of training sounds: what the options ask for, as changes of what the network hears.

D feature rows, T frames (or samples).
"""

from __future__ import annotations

from typing import get_args

from torch import Tensor

from onsei.audio import augment as change
from onsei.audio.samples import Samples
from onsei.data.loader import Draw
from onsei.errors import ConfigError
from onsei.systems.classification.config import Augment, Features

_SOUNDS = ("speed", "trim", "noise_prob")
"""Changes of the sound that a spectrogram is made of."""
_SPECTRA = (*_SOUNDS, "tempo", "warp", "tilt", "freq_masks")
"""Changes that only features of kind mel have."""
_COLORS: tuple[change.Color, ...] = get_args(change.Color)


class Changes:
    """Augmentation as the options describe it; the same for a row in an epoch, wherever and whenever it is made.

    Args:
        options: what to change.
        features: what is changed.

    Raises:
        ConfigError: a change that this kind of features does not have, or a range that holds 0.
    """

    def __init__(self, options: Augment, features: Features) -> None:
        self.options, self.wave = options, features.kind == "wave"
        wrong = [name for name in (_SPECTRA if self.wave else ("gain",)) if getattr(options, name)]
        if wrong:
            raise ConfigError(
                f"augment.{', augment.'.join(wrong)}: no change of features of kind {features.kind}",
                "leave these at 0",
                fields=[f"augment.{name}" for name in wrong],
            )
        self.of_sound = any(getattr(options, name) for name in _SOUNDS)
        """Whether samples change, so that spectrograms cannot be kept from epoch to epoch."""
        self.rate = features.sample_rate
        if options.noise_snr_min > options.noise_snr_max:
            raise ConfigError(
                f"augment.noise_snr_min is {options.noise_snr_min:g}, augment.noise_snr_max {options.noise_snr_max:g}",
                "let the lowest not pass the highest",
            )
        for name in ("speed", "tempo", "warp"):
            if getattr(options, name) >= 1:
                raise ConfigError(f"augment.{name}: expected a number below 1, found 1", "0.1 is usual")
        if options.tilt_knots < 2:
            raise ConfigError(f"augment.tilt_knots: expected 2 or more, found {options.tilt_knots}", "4 is usual")

    def sound(self, samples: Samples, draw: Draw) -> Samples:
        """``samples``, shape (T',), changed before anything is made of them: shape (T'',)."""
        o, random = self.options, draw.generator("sound")
        if o.speed:
            samples = change.speed(samples, self.rate, random, factors=(1 - o.speed, 1 + o.speed))
        if o.trim:
            before, after = (random.uniform(0, o.trim / 2, 2) * len(samples)).astype(int)
            samples = samples[before : max(before + 1, len(samples) - after)]
        if random.random() < o.noise_prob:
            color = _COLORS[random.integers(len(_COLORS))]
            snr = (o.noise_snr_min, o.noise_snr_max)
            samples = change.noise(samples, self.rate, random, snr=snr, color=color)
        return samples

    def __call__(self, x: Tensor, draw: Draw) -> Tensor:
        """``x``, shape (D, T), with mean 0 and deviation 1, changed: shape (D, T')."""
        o, random = self.options, draw.generator("changes")
        if o.shift:
            span = int(o.shift * x.shape[1])
            x = x.roll(int(random.integers(span + 1)), 1)
        if o.tempo:
            x = change.stretch_time(x, random, factors=(1 - o.tempo, 1 + o.tempo))
        if o.warp:
            x = change.warp_frequencies(x, random, factors=(1 - o.warp, 1 + o.warp))
        if o.tilt:
            x = change.tilt(x, random, spread=o.tilt, knots=o.tilt_knots)
        if o.gain:
            x = x * float(10 ** (random.uniform(-o.gain, o.gain) / 20))
        if o.freq_masks:
            x = change.mask_frequencies(x, random, width=o.freq_width, count=o.freq_masks)
        if o.time_masks:
            width = int(o.time_share * x.shape[1])
            x = change.mask_times(x, random, width=width, count=o.time_masks)
        return x
