"""HiFi-GAN's generator.

B batch, M mel bands, F frames, T samples = F · hop, C channels. Source: Kong, Kim and Bae, HiFi-GAN, 2020, section 2.2.

On a CPU sound goes through the stages as (B, C, 1, T) with channels last in memory: torch's convolutions then do not
rearrange what comes in and goes out, and are up to twice as fast.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu, leaky_relu_
from torch.utils.checkpoint import checkpoint

from onsei.errors import ConfigError
from onsei.vocoder.mel import MelDefinition
from onsei.vocoder.shapes import PRESETS, V1, V2, V3, GeneratorShape
from onsei.vocoder.weightnorm import fuse, weight_norm

__all__ = ["PRESETS", "V1", "V2", "V3", "Generator", "GeneratorShape"]

_SLOPE = 0.1
_NARROW = 256
"""Initial channels up to which channels last is the faster layout for backward passes too."""


class Generator(nn.Module):
    """Log-mel to sound. Names of its weights are upstream's; ``weightnorm.fill`` loads all their layouts.

    Args:
        shape: rates and kernels that are left empty are found from the hop.
        mel: what it is conditioned on.
        normed: normalize weights, as training does; without, weights are plain, as after ``fuse``.

    Raises:
        ConfigError: a shape that does not fit the mel's hop.
    """

    def __init__(self, shape: GeneratorShape, mel: MelDefinition, *, normed: bool = True) -> None:
        super().__init__()
        self.mel = mel
        self.shape = shape = shape.fitted(mel.hop)
        self.checkpointing = False
        """Whether stages are computed again in the backward pass, to save memory."""
        width = shape.upsample_initial_channel
        block = _Twofold if shape.resblock == "1" else _Single
        self.conv_pre = _Conv(mel.n_mels, width, 7, padding=3)
        self.ups = nn.ModuleList()
        self.resblocks = nn.ModuleList()
        for rate, kernel in zip(shape.upsample_rates, shape.upsample_kernel_sizes, strict=True):
            self.ups.append(_Up(width, width // 2, kernel, rate, (kernel - rate) // 2))
            width //= 2
            for size, steps in _blocks(shape):
                self.resblocks.append(block(width, size, steps))
        self.conv_post = _Conv(width, 1, 7, padding=3)
        for conv in (*self.ups.modules(), *self.resblocks.modules(), self.conv_post):
            if isinstance(conv, (nn.Conv1d, nn.ConvTranspose1d)):
                nn.init.normal_(conv.weight, 0.0, 0.01)
        if normed:
            for conv in list(self.modules()):
                if isinstance(conv, (nn.Conv1d, nn.ConvTranspose1d)):
                    weight_norm(conv)

    def forward(self, mel: Tensor) -> Tensor:
        """``mel`` (B, M, F) → sound (B, F · hop), between -1 and 1.

        Raises:
            ConfigError: another number of bands.
        """
        check_bands(mel, self.mel)
        gains = not torch.is_grad_enabled() or self.shape.upsample_initial_channel <= _NARROW
        laid = gains and mel.device.type == "cpu" and not torch.onnx.is_in_onnx_export()
        x = self.conv_pre(mel[:, :, None].contiguous(memory_format=torch.channels_last) if laid else mel)
        for stage in range(len(self.ups)):
            if self.checkpointing and torch.is_grad_enabled():
                x = cast(Tensor, checkpoint(self._stage, stage, x, use_reentrant=False))
            else:
                x = self._stage(stage, x)
        return torch.tanh(self.conv_post(leaky_relu(x))).flatten(1)

    @property
    def context(self) -> int:
        """Frames on each side of a frame that are heard in its sound; those further away are not."""
        shape, reach = self.shape, 3  # samples around a stage's output; conv_post sees 3
        for rate, kernel in reversed(list(zip(shape.upsample_rates, shape.upsample_kernel_sizes, strict=True))):
            reach += max(_reach(k, steps, shape.resblock == "1") for k, steps in _blocks(shape))
            padding = (kernel - rate) // 2
            reach = max((reach + kernel - 1 - padding) // rate, 1 + (reach + padding - 1) // rate)
        return reach + 3

    def fuse(self) -> None:
        """Make the weights plain, in place: faster, and the same sound. Training goes on with normed ones only."""
        fuse(self)
        for conv in self.modules():
            if isinstance(conv, (_Conv, _Up)):  # laid as the CPU's convolutions take them; the same to all others
                conv.weight.data = conv.weight.data.transpose(1, 2).contiguous().transpose(1, 2)

    def _stage(self, number: int, x: Tensor) -> Tensor:
        x = self.ups[number](leaky_relu(x, _SLOPE))
        count = len(self.shape.resblock_kernel_sizes)
        blocks = [self.resblocks[number * count + place] for place in range(count)]
        total = blocks[0](x)
        for block in blocks[1:]:
            total = total + block(x) if torch.is_grad_enabled() else total.add_(block(x))
        return cast(Tensor, total / count)


class _Conv(nn.Conv1d):
    """Convolution over time of (B, C, T) or of (B, C, 1, T)."""

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() == 3:
            return super().forward(x)
        padding, dilation = cast(tuple[int], self.padding), self.dilation
        return conv2d(x, self.weight[:, :, None], self.bias, 1, (0, *padding), (1, *dilation))


class _Up(nn.ConvTranspose1d):
    """Transposed convolution over time of (B, C, T) or of (B, C, 1, T)."""

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        if x.dim() == 3:
            return super().forward(x, output_size)
        padding = cast(tuple[int], self.padding)
        return conv_transpose2d(x, self.weight[:, :, None], self.bias, (1, *self.stride), (0, *padding))


class _Twofold(nn.Module):
    """Residual block 1: at each dilation, a dilated convolution and a plain one."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(_conv(channels, kernel, dilation) for dilation in dilations)
        self.convs2 = nn.ModuleList(_conv(channels, kernel, 1) for _ in dilations)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) → (B, C, T)."""
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            y = dilated(leaky_relu(x, _SLOPE))
            y = plain(leaky_relu(y, _SLOPE) if torch.is_grad_enabled() else leaky_relu_(y, _SLOPE))
            x = x + y if torch.is_grad_enabled() else y.add_(x)
        return x


class _Single(nn.Module):
    """Residual block 2: at each dilation, a dilated convolution."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(_conv(channels, kernel, dilation) for dilation in dilations)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) → (B, C, T)."""
        for dilated in self.convs:
            y = dilated(leaky_relu(x, _SLOPE))
            x = x + y if torch.is_grad_enabled() else y.add_(x)
        return x


def check_bands(mel: Tensor, definition: MelDefinition) -> None:
    """Raise ConfigError unless ``mel`` is (B, M, F) with the definition's M bands and a frame or more."""
    if mel.dim() == 3 and mel.shape[1] == definition.n_mels and mel.shape[2]:
        return
    turned = mel.dim() == 3 and mel.shape[2] == definition.n_mels
    raise ConfigError(
        f"mel: expected (batch, {definition.n_mels} bands, frames), found {tuple(mel.shape)}",
        "turn it round: frames come last" if turned else "see `onsei vocoder check` for what does not fit",
    )


def _blocks(shape: GeneratorShape) -> list[tuple[int, tuple[int, ...]]]:
    """Kernel and dilations of the residual blocks of a stage."""
    return list(zip(shape.resblock_kernel_sizes, shape.resblock_dilation_sizes, strict=True))


def _reach(kernel: int, dilations: tuple[int, ...], twofold: bool) -> int:
    """Samples on each side that a residual block sees."""
    return sum((dilation + twofold) * (kernel // 2) for dilation in dilations)


def _conv(channels: int, kernel: int, dilation: int) -> _Conv:
    return _Conv(channels, channels, kernel, padding=dilation * (kernel - 1) // 2, dilation=dilation)
