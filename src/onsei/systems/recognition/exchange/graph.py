"""The recognizer as one graph of plain operations, for exporters: no packing, no complex numbers, padding by masks.

B batch, N samples, D feature rows, T frames, F output frames, V labels.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import pi
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, log_softmax, max_pool2d, pad

from onsei.audio.features import LogSpectrogram, MelSpectrogram
from onsei.nn.masks import length_mask
from onsei.nn.rnn import BatchRNN, FrameWise
from onsei.systems.recognition.data.front import LEVEL, FrontEnd
from onsei.systems.recognition.model import DeepSpeech2


class Network(nn.Module):
    """Features to log-probabilities; shares the weights of ``model``, which must be in evaluation mode."""

    def __init__(self, model: DeepSpeech2) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, D, T) of ``lengths`` frames, (B,), to log-probabilities (B, F, V) and frames (B,)."""
        model = self.model
        x, lengths = model.conv(features[:, None], lengths)
        if model.pool > 1:
            x = max_pool2d(x, (model.pool, 1), ceil_mode=True)
        x = x.flatten(1, 2).permute(2, 0, 1)  # (F, B, I)
        for rnn in cast(Iterable[BatchRNN], model.rnns):
            if rnn.batch_norm is not None:
                x = _framewise(rnn.batch_norm, x)
            x = rnn.over_padding(x, lengths)
        if model.lookahead is not None:
            sound = length_mask(lengths, x.size(0)).T[..., None]
            x = model.lookahead((x * sound).transpose(0, 1)).transpose(0, 1)
        scores = _framewise(cast(FrameWise, model.fc[0]), x)
        return log_softmax(scores, -1).transpose(0, 1), lengths


class Recognizer(nn.Module):
    """Sound to log-probabilities: the front end, then ``Network``."""

    basis: Tensor

    def __init__(self, model: DeepSpeech2, front: FrontEnd) -> None:
        super().__init__()
        self.network = Network(model)
        spectra = front.spectrogram
        assert isinstance(spectra, (LogSpectrogram, MelSpectrogram))
        self.stft = spectra.spectrogram.stft
        self.filters = spectra.filters if isinstance(spectra, MelSpectrogram) else None
        self.floor, self.bin_mean = front.options.floor, front.options.bin_mean
        size, bins = self.stft.n_fft, self.stft.bins
        turns = torch.outer(torch.arange(bins), torch.arange(size)).remainder(size).double() * (2 * pi / size)
        waves = torch.cat([turns.cos(), -turns.sin()]) * self.stft.window.double()
        self.register_buffer("basis", waves.float()[:, None], persistent=False)  # (2 bins, 1, n_fft)

    def forward(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Samples (B, N) of ``lengths``, (B,), to log-probabilities (B, F, V) and frames (B,)."""
        heard = length_mask(lengths, samples.size(1))
        sound = samples * heard
        if self.filters is not None:
            power = sound.square().sum(1, keepdim=True) / lengths[:, None]
            sound = LEVEL * sound / power.sqrt().clamp(min=1e-5)
        waves = conv1d(self._padded(sound, lengths)[:, None], self.basis, stride=self.stft.hop_length)
        squares = waves.square()
        power = squares[:, : self.stft.bins] + squares[:, self.stft.bins :]  # (B, bins, T)
        logs = (self.filters.T @ power + self.floor).log() if self.filters is not None else power.sqrt().log1p()
        frames = torch.div(lengths, self.stft.hop_length, rounding_mode="floor") + 1
        scores: tuple[Tensor, Tensor] = self.network(self._normalized(logs, frames), frames)
        return scores

    def _padded(self, sound: Tensor, lengths: Tensor) -> Tensor:
        """Sound with half a window before and after it, zeros or its mirror image at either end of each item."""
        width = self.stft.padding
        if self.stft.pad_mode == "constant":
            return pad(sound, (width, width))
        place = torch.arange(sound.size(1) + 2 * width)[None] - width
        last = lengths[:, None] - 1
        inside = torch.where(place > last, 2 * last - place, place.abs())
        return sound.gather(1, inside.clamp(min=0))

    def _normalized(self, logs: Tensor, frames: Tensor) -> Tensor:
        """Each item with mean 0 and deviation 1 over its own frames, zeros as padding."""
        real = length_mask(frames, logs.size(2))[:, None]
        count = (frames * logs.size(1))[:, None, None]
        if self.filters is not None and self.bin_mean:
            logs = logs - self.bin_mean * (logs * real).sum(2, keepdim=True) / frames[:, None, None]
        centered = (logs - (logs * real).sum((1, 2), keepdim=True) / count) * real
        deviation = (centered.square().sum((1, 2), keepdim=True) / (count - 1)).sqrt()
        if self.filters is not None:
            return centered / (deviation + 1e-5)
        return centered / deviation.clamp(min=1e-5)


def _framewise(layer: FrameWise, x: Tensor) -> Tensor:
    """The module in ``layer`` for each frame of x, (F, B, H)."""
    y: Tensor = layer.module(x.flatten(0, 1))
    return y.view(x.size(0), x.size(1), y.size(1))
