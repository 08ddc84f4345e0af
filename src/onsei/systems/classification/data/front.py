"""The front end: from samples to what the network hears, and how a long sound is heard in pieces.

D feature rows, T frames (or samples).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from onsei.audio.features import MelSpectrogram
from onsei.errors import ConfigError
from onsei.systems.classification.config import Features

Sound = NDArray[np.float32]
_SLACK = 1.02
"""A sound longer than a piece by less than this is heard whole: its last milliseconds deserve no second vote."""

_MARGIN = 0.03
"""Seconds of silence that are left at both ends where it is cut."""
_AT_ONCE = 2
"""Sounds whose spectra are computed together; more, of five seconds, were slower."""


class FrontEnd:
    """From samples to what the network hears: (D, T).

    It works in two steps, so that the first, the costly one, can be kept from epoch to epoch while the second works on
    a piece of it: ``raw`` is the mel power (or the samples), ``finished`` is leveled, logarithmic and normalized.

    Args:
        options: kind of features and their times.

    Raises:
        ConfigError: pieces overlap by their whole length, or mel bands do not fit the sampling rate.
    """

    def __init__(self, options: Features) -> None:
        self.options = options
        if options.overlap >= options.seconds:
            raise ConfigError(
                f"features.overlap: {options.overlap:g} s, but a piece lasts {options.seconds:g} s",
                "let pieces overlap by less than their length",
            )
        if options.kind == "mel":
            _check_bands(options)

    @property
    def bins(self) -> int:
        """Feature rows D."""
        return self.options.n_mels if self.options.kind == "mel" else 1

    @property
    def piece(self) -> int:
        """Frames of the longest piece."""
        return self.frames(self.options.samples)

    def frames(self, samples: int) -> int:
        """Frames of ``samples`` samples."""
        return samples if self.options.kind == "wave" else 1 + max(samples, self._size) // self._hop

    def raw(self, samples: Sound) -> Sound:
        """Mel power, or the samples themselves, of samples, shape (T',): shape (D, T)."""
        if self.options.kind == "wave":
            return samples[None]
        with torch.no_grad():
            power = self._mel(self._long_enough(samples))
            if self.options.silence:
                power = power[:, self._sounding(power)]
            made: Sound = power.contiguous().numpy()
        return made

    def _sounding(self, power: Tensor) -> slice:
        """The frames of power, (D, T), between silent ends."""
        level = power.mean(0)
        loud = torch.nonzero(level >= level.max() * 10 ** (-self.options.silence / 10))
        margin = round(_MARGIN / self.options.window_stride)
        return slice(max(0, int(loud[0]) - margin), int(loud[-1]) + margin + 1)

    def finished(self, raw: Tensor) -> Tensor:
        """What the network hears of ``raw``, (..., D, T), or of a piece of it: mean 0 and deviation 1 over D and T."""
        o = self.options
        x = raw.flatten(-2)
        if o.kind == "wave":
            return _centered(x, 1e-7, 0.0).view_as(raw) if o.standardize else raw
        x = (x / x.mean(-1, keepdim=True).clamp(min=1e-10)).add_(o.floor) if o.level else x + o.floor
        return _centered(x.log_(), 0.0, 1e-2).view_as(raw)  # silence stays flat

    def __call__(self, samples: Sound) -> Tensor:
        """What the network hears of samples, shape (T',), of one piece: shape (D, T)."""
        return self.finished(torch.from_numpy(self.raw(samples)))

    def batch(self, sounds: Sequence[Sound]) -> tuple[Tensor, Tensor]:
        """What the network hears of each sound, as if it came alone.

        Neighbors of one length are computed together.

        Returns:
            Features, shape (B, D, T), with zeros as padding; and frames of each sound, shape (B,).
        """
        if self.options.kind == "wave" or self.options.silence:
            heard = [self(sound)[None] for sound in sounds]
        else:
            heard = [self._alike(list(same)) for _, same in groupby(sounds, key=len)]
        lengths = torch.tensor([x.size(2) for x in heard for _ in x])
        if len(heard) == 1:
            return heard[0], lengths
        padded, first = torch.zeros(len(lengths), self.bins, int(lengths.max())), 0
        for x in heard:
            padded[first : first + len(x), :, : x.size(2)] = x
            first += len(x)
        return padded, lengths

    @torch.no_grad()
    def _alike(self, sounds: Sequence[Sound]) -> Tensor:
        """What the network hears of mel spectrograms of sounds of one length: (B, D, T)."""
        power = torch.empty(len(sounds), self.bins, self.frames(len(sounds[0])))
        for first in range(0, len(sounds), _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            power[part] = self._mel(self._long_enough(np.stack(sounds[part])))
        return self.finished(power)

    def _long_enough(self, samples: Sound) -> Tensor:
        """Samples, (..., T), with zeros behind them where they are fewer than a window."""
        sound = torch.from_numpy(samples)
        short = self._size - samples.shape[-1]
        return pad(sound, (0, short)) if short > 0 else sound

    @cached_property
    def _mel(self) -> MelSpectrogram:
        o = self.options
        return MelSpectrogram(
            o.sample_rate,
            self._size,
            self._hop,
            o.n_mels,
            f_min=o.f_min,
            f_max=o.f_max,
            win_length=round(o.sample_rate * o.window_size),
        )

    @cached_property
    def _size(self) -> int:
        return 1 << (round(self.options.sample_rate * self.options.window_size) - 1).bit_length()

    @cached_property
    def _hop(self) -> int:
        return max(1, round(self.options.sample_rate * self.options.window_stride))


def _centered(x: Tensor, added: float, least: float) -> Tensor:
    """x, (..., N), with mean 0 and deviation 1 over N; its variance is taken ``added`` larger, its deviation ``least``
    at least.
    """
    x = x - x.mean(-1, keepdim=True)
    deviation = (x.square().mean(-1, keepdim=True) + added).sqrt()
    return x.div_(deviation.clamp(min=least) if least else deviation)


def pieces(length: int, options: Features) -> list[tuple[int, int]]:
    """Where a sound of ``length`` samples is heard: first sample and number of samples of each piece, evenly spread.

    All of the sound is heard; a sound hardly longer than a piece is heard whole.
    """
    piece, overlap = options.samples, round(options.overlap * options.sample_rate)
    if length <= piece * _SLACK:
        return [(0, length)]
    count = max(2, math.ceil((length - overlap) / max(1, piece - overlap)))
    return [(round(n * (length - piece) / (count - 1)), piece) for n in range(count)]


def _check_bands(options: Features) -> None:
    top, half = options.f_max or options.sample_rate / 2, options.sample_rate / 2
    if not options.f_min < top <= half:
        raise ConfigError(
            f"features.f_min {options.f_min:g} Hz, features.f_max {top:g} Hz: expected the first below the second and "
            f"both up to half the sampling rate, {half:g} Hz",
            "mend these, or raise --sample-rate",
        )
