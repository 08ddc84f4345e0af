"""The fast head: ConvNeXt blocks over mel frames, finer frames, and an inverse Fourier transform.

B batch, M mel bands, F mel frames, U transforms a frame, G = F · U, C channels, N samples of a transform, K = N / 2 + 1
bins, T samples. Sources: Siuzdak, Vocos, 2024 (blocks, transform without upsampling of samples); Lv et al., FreeV, 2024
(the mel as a first guess of amplitudes); Ai and Ling, APNet, 2023 (phase from two values); Liu et al., ConvNeXt, 2022.
"""

from __future__ import annotations

from math import log

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate, pad
from torch.utils.checkpoint import checkpoint

from onsei.audio.features.mel import hz_to_mel
from onsei.audio.features.windows import window
from onsei.vocoder.consistency import Consistency
from onsei.vocoder.generator import check_bands
from onsei.vocoder.mel import NEPERS, MelDefinition
from onsei.vocoder.shapes import HeadShape

__all__ = ["Head", "HeadShape"]

_LOUDEST = 8.0
"""Largest logarithm of a bin's amplitude."""


class Head(nn.Module):
    """Log-mel to sound, called like ``generator.Generator``, many times as fast.

    Args:
        shape: channels and layers.
        mel: what it is conditioned on.

    Raises:
        ConfigError: a shape that does not fit the mel's hop.
    """

    def __init__(self, shape: HeadShape, mel: MelDefinition) -> None:
        super().__init__()
        mel.check()
        self.mel, self.shape = mel, shape
        self.factor = shape.factor(mel.hop, mel.sample_rate)
        self.checkpointing = False
        """Whether blocks are computed again in the backward pass, to save memory."""
        depth = shape.layers + shape.fine_layers
        self.embed = nn.Conv1d(mel.n_mels, shape.channels, 7, padding=3)
        self.norm = nn.LayerNorm(shape.channels)
        self.blocks = nn.ModuleList(_Block(shape.channels, shape, depth) for _ in range(shape.layers))
        self.refine = nn.Linear(shape.channels, self.factor * shape.fine_channels)
        self.fine_blocks = nn.ModuleList(_Block(shape.fine_channels, shape, depth) for _ in range(shape.fine_layers))
        self.last_norm = nn.LayerNorm(shape.fine_channels)
        self.inverse = Inverse(mel.hop // self.factor, shape.overlap)
        self.out = nn.Linear(shape.fine_channels, 3 * self.inverse.bins)
        self.guess = nn.Linear(mel.n_mels, self.inverse.bins)
        self.consistency = Consistency(mel, shape.rounds) if shape.rounds else None
        self._begin()

    def forward(self, mel: Tensor) -> Tensor:
        """``mel`` (B, M, F) → sound (B, F · hop).

        Raises:
            ConfigError: another number of bands.
        """
        sound: Tensor = self.inverse(*self.spectrum(mel))
        return sound if self.consistency is None else self.consistency(sound, mel)

    @property
    def context(self) -> int:
        """Frames on each side of a frame that are heard in its sound; those further away are not."""
        reach = self.shape.kernel // 2
        fine = self.shape.fine_layers * reach + self.shape.overlap
        own = 3 + self.shape.layers * reach + -(-fine // self.factor) + (self.factor > 1)
        return own + (0 if self.consistency is None else self.consistency.context)

    def fuse(self) -> None:
        """Nothing: its weights are plain. Here so that both networks are used alike."""

    def spectrum(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Real and imaginary part of each transform: (B, M, F) → twice (B, G, K)."""
        check_bands(mel, self.mel)
        x = self.norm(self.embed(mel).transpose(1, 2))  # (B, F, C)
        for block in self.blocks:
            x = self._run(block, x)
        x = self.refine(x).reshape(x.shape[0], -1, self.shape.fine_channels)  # (B, G, C)
        for block in self.fine_blocks:
            x = self._run(block, x)
        louder, across, along = self.out(self.last_norm(x)).chunk(3, dim=-1)
        amplitude = (louder + self._guessed(mel)).clamp(max=_LOUDEST).exp()
        scale = amplitude * (across.square() + along.square() + 1e-9).rsqrt()
        return across * scale, along * scale

    def _run(self, block: nn.Module, x: Tensor) -> Tensor:
        if self.checkpointing and torch.is_grad_enabled():
            again: Tensor = checkpoint(block, x, use_reentrant=False)
            return again
        y: Tensor = block(x)
        return y

    def _guessed(self, mel: Tensor) -> Tensor:
        """Log amplitudes as the mel suggests them: (B, M, F) → (B, G, K)."""
        if self.factor > 1:
            mel = interpolate(mel, scale_factor=float(self.factor), mode="linear", align_corners=False)
        guess: Tensor = self.guess(mel.transpose(1, 2))
        return guess

    @torch.no_grad()
    def _begin(self) -> None:
        """Begin with the mel's own amplitudes: interpolated between the bands' centers, at the transform's scale."""
        for layer in (self.embed, self.refine, self.out):
            nn.init.trunc_normal_(layer.weight, std=0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        bins = self.inverse.bins
        nn.init.normal_(self.out.weight[bins:], std=self.shape.fine_channels**-0.5)  # phases of all directions
        self.guess.weight.copy_(_between_bands(self.mel, bins) * NEPERS[self.mel.log])
        # A band of slaney's norm sums to a bin's amplitude by n_fft / sample_rate; noise grows with a window's root.
        width = log(self.mel.n_fft / self.mel.sample_rate) if self.mel.norm == "slaney" else 0.0
        self.guess.bias.fill_(0.5 * log(self.inverse.size / self.mel.win_length) - width)


class Inverse(nn.Module):
    """Spectra to sound: inverse Fourier transforms under a Hann window, laid ``hop`` apart and summed.

    Args:
        hop: samples from transform to transform.
        overlap: hops to a window.
    """

    hann: Tensor

    def __init__(self, hop: int, overlap: int = 4) -> None:
        super().__init__()
        self.hop, self.overlap = hop, overlap
        self.size = hop * overlap
        self.bins = self.size // 2 + 1
        self.register_buffer("hann", window("hann", self.size), persistent=False)

    def forward(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """``real`` and ``imaginary`` (B, G, K) → sound (B, G · hop); transform i is centered on its hop."""
        # The first and the last bin of real sound have no imaginary part, as irfft takes them.
        pieces = torch.fft.irfft(torch.complex(real.float(), imaginary.float()), n=self.size) * self.hann  # (B, G, N)
        return self.laid(pieces)

    def laid(self, pieces: Tensor) -> Tensor:
        """Windowed ``pieces`` (B, G, N) → their sum (B, G · hop), divided by that of the squared windows."""
        frames = pieces.shape[1]
        before = (self.size - self.hop) // 2
        weight = self._summed(self.hann.square().expand(1, frames, -1)).clamp(min=1e-8)
        return (self._summed(pieces) / weight)[:, before : before + frames * self.hop]

    def _summed(self, pieces: Tensor) -> Tensor:
        """(B, G, N) → (B, (G + overlap - 1) · hop): hop by hop, as every window is whole hops long."""
        hops = pieces.reshape(pieces.shape[0], -1, self.overlap, self.hop)
        parts = [pad(hops[:, :, n], (0, 0, n, self.overlap - 1 - n)) for n in range(self.overlap)]
        return torch.stack(parts).sum(0).flatten(1)


class _Block(nn.Module):
    """ConvNeXt block: a depthwise convolution over time, and a small network for each frame, added to what came in."""

    def __init__(self, channels: int, shape: HeadShape, depth: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, shape.kernel, padding=shape.kernel // 2, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.widen = nn.Linear(channels, shape.expansion * channels)
        self.narrow = nn.Linear(shape.expansion * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), 1 / depth))
        for layer in (self.conv, self.widen, self.narrow):
            nn.init.trunc_normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """(B, F, C) → (B, F, C)."""
        y = self.norm(self.conv(x.transpose(1, 2)).transpose(1, 2))
        y = self.narrow(gelu(self.widen(y)))
        added: Tensor = x + self.scale * y
        return added


def _between_bands(mel: MelDefinition, bins: int) -> Tensor:
    """Linear interpolation from the bands' centers to ``bins`` frequencies, on the mel scale: (K, M)."""
    ends = hz_to_mel(torch.tensor([mel.f_min, mel.top], dtype=torch.float64), mel.scale)
    step = (ends[1] - ends[0]) / (mel.n_mels + 1)
    hertz = torch.linspace(0, mel.sample_rate / 2, bins, dtype=torch.float64)
    place = ((hz_to_mel(hertz, mel.scale) - ends[0]) / step - 1).clamp(0, mel.n_mels - 1)  # (K,), in bands
    near = (1 - (place[:, None] - torch.arange(mel.n_mels, dtype=torch.float64)).abs()).clamp(min=0)
    return near.float()
