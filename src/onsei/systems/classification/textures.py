"""Textures: what stays the same while rain, a fire or an engine goes on, as statistics over time.

B sounds, D mel bands, T frames, G groups of bands, W frames of a window.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, batch_norm, pad

from onsei.errors import ConfigError
from onsei.nn.masks import length_mask

GROUPS = 16
"""Groups of bands G in which modulations and correlations are measured."""
_STEP = 1.4
"""A band of modulations ends at this multiple of where it begins: about half an octave."""
_SHORTEST = 8
"""Frames of the shortest window."""
_LEAST = 1e-2
"""Deviation below which a band counts as still."""
_FIRST = 2
"""Frames of the shortest lag at which a rhythm is looked for."""


class Textures(nn.Module):
    """Statistics of a log-mel spectrogram over time, by which people tell such sounds (McDermott & Simoncelli 2011).

    Of every band mean, logarithm of the deviation, skewness and logarithm of the kurtosis; of every group of bands how
    its amplitude's power is spread over modulation frequencies (Welch 1967: Hann windows that overlap by half), in
    bands of half an octave; of every two groups the correlation. With ``rhythms`` also how alike every group is to
    itself some time later: in every octave of lags the largest autocorrelation, and the largest rise of one above the
    least at a shorter lag. Blades and clocks beat, waves do not. Each is normalized over batches.

    Args:
        bins: mel bands D.
        window: frames W in which modulations are measured; a shorter sound is padded with its mean.
        rhythms: whether these are measured.

    Raises:
        ConfigError: windows too short to hold a modulation.
    """

    def __init__(self, bins: int, window: int, rhythms: bool = False) -> None:
        super().__init__()
        if window < _SHORTEST:
            raise ConfigError(
                f"model.textures: expected 0, or {_SHORTEST} frames or more; found {window}",
                "windows of a second or more are usual: 160 frames of 8 ms",
            )
        self.groups, self.window = min(GROUPS, bins), window
        self.bands = _bands(window // 2 + 1)
        """First bin of each band of modulations, and the one after its last."""
        self.octaves = _octaves(window) if rhythms else ()
        """Octaves of lags: the first, and the one after the last."""
        each = len(self.bands) + 2 * len(self.octaves)
        self.width = 4 * bins + self.groups * each + self.groups * (self.groups - 1) // 2
        """Numbers a sound."""
        self.norm = nn.BatchNorm1d(self.width, affine=False)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Statistics, (B, width), of features, (B, D, T), of which the first ``lengths``, (B,), frames are sound."""
        with torch.autocast(features.device.type, enabled=False):
            x = features.float()
            mask = length_mask(lengths, x.size(-1), x.device)[:, None]
            count = lengths.to(x)[:, None, None]
            mean = (x * mask).sum(-1, keepdim=True) / count
            apart = (x - mean) * mask
            parts = [mean[..., 0], *_moments(apart, count), self._modulations(x, mask, lengths)]
            if self.octaves:
                parts.append(self._rhythms(apart))
            return self._normalized(torch.cat([*parts, self._correlations(apart)], 1))

    def _normalized(self, x: Tensor) -> Tensor:
        """x, (B, width), of mean 0 and deviation 1 over the batch; a sound alone, by the sounds before it."""
        if len(x) > 1 or not self.training:
            made: Tensor = self.norm(x)
            return made
        return batch_norm(x, self.norm.running_mean, self.norm.running_var, eps=self.norm.eps)

    def _modulations(self, x: Tensor, mask: Tensor, lengths: Tensor) -> Tensor:
        """Logarithms of the shares of power in each band of modulations, (B, G · bands)."""
        amplitude = (x / 2).exp() * mask
        amplitude = (amplitude - amplitude.sum(-1, keepdim=True) / mask.sum(-1, keepdim=True)) * mask
        amplitude = pad(amplitude, (0, max(0, self.window - x.size(-1))))
        windows = amplitude.unfold(-1, self.window, self.window // 2)  # (B, D, N, W)
        windows = (windows - windows.mean(-1, keepdim=True)) * torch.hann_window(self.window, device=x.device)
        power = torch.view_as_real(torch.fft.rfft(windows)).square().sum(-1)
        whole = 1 + (lengths.to(x.device) - self.window).clamp(min=0) // (self.window // 2)
        inside = length_mask(whole, power.size(2), x.device)[:, None, :, None]
        power = (power * inside).sum(2)
        power = torch.stack([power[..., low:high].mean(-1) for low, high in self.bands], -1)  # (B, D, bands)
        power = adaptive_avg_pool2d(power, (self.groups, power.size(-1)))
        shares = power / (power.sum(-1, keepdim=True) + 1e-6)
        return (shares + 1e-4).log().flatten(1)

    def _rhythms(self, x: Tensor) -> Tensor:
        """Of x, (B, D, T), of mean 0, with zeros beyond its end: (B, 2 · octaves · G)."""
        frames, last = x.size(-1), self.octaves[-1][1]
        groups = adaptive_avg_pool2d(x, (self.groups, frames))
        power = torch.view_as_real(torch.fft.rfft(groups, 2 * frames)).square().sum(-1)
        alike = torch.fft.irfft(power, 2 * frames)[..., :frames]
        alike = pad(alike / (alike[..., :1] + 1e-3), (0, max(0, last - frames)))  # of every lag, (B, G, lags)
        risen = alike - alike.cummin(-1).values
        return torch.cat([part[..., low:high].amax(-1) for part in (alike, risen) for low, high in self.octaves], 1)

    def _correlations(self, x: Tensor) -> Tensor:
        """Correlations of every two groups of bands of x, (B, D, T), of mean 0: (B, G (G - 1) / 2)."""
        groups = adaptive_avg_pool2d(x, (self.groups, x.size(-1)))
        groups = groups / (groups.norm(dim=-1, keepdim=True) + 1e-3)
        first, second = torch.triu_indices(self.groups, self.groups, 1, device=x.device)
        made: Tensor = (groups @ groups.mT)[:, first, second]
        return made


def _moments(x: Tensor, count: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Deviation (log), skewness and kurtosis (log) of x, (B, D, T), of mean 0 and ``count`` frames: each (B, D)."""

    def mean(values: Tensor) -> Tensor:
        return values.sum(-1) / count[..., 0]

    deviation = mean(x.square()).sqrt() + _LEAST
    unit = x / deviation[..., None]
    squares = unit.square()
    return deviation.log(), mean(squares * unit), (mean(squares.square()) + 0.1).log()


def _octaves(window: int) -> tuple[tuple[int, int], ...]:
    """Octaves of lags, of which the last begins below ``window``."""
    lows = [_FIRST]
    while 2 * lows[-1] < window:
        lows.append(2 * lows[-1])
    return tuple((low, 2 * low) for low in lows)


def _bands(bins: int) -> tuple[tuple[int, int], ...]:
    """Bands of a window's spectrum of ``bins`` values; the first value, the mean, is in none."""
    edges = [1]
    while edges[-1] < bins:
        edges.append(min(bins, max(edges[-1] + 1, round(edges[-1] * _STEP))))
    return tuple(pairwise(edges))
