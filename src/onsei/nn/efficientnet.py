"""EfficientNetV2 in its TensorFlow form, with timm's names: weights of ``tf_efficientnetv2_b0`` to ``_b3`` load.

Source: Tan and Le, EfficientNetV2: Smaller Models and Faster Training, 2021, table 4 and section 3.3; the B sizes scale
it as EfficientNet's rule does (Tan and Le 2019).

N pictures, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn.functional import pad, silu

_EPSILON = 1e-3
_STEM = 32
_TOP = ("conv_head.", "bn2.", "classifier.")
"""Weights of timm's classifier on top, which are not taken."""


class Stage(NamedTuple):
    """Blocks of one width: ``conv`` (plain), ``fused`` (fused MBConv) or ``mb`` (MBConv with excitation)."""

    kind: str
    repeats: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage("conv", 1, 1, 1, 16),
    Stage("fused", 2, 2, 4, 32),
    Stage("fused", 2, 2, 4, 48),
    Stage("mb", 3, 2, 4, 96),
    Stage("mb", 5, 1, 6, 112),
    Stage("mb", 8, 2, 6, 192),
)
SIZES = {"b0": (1.0, 1.0), "b1": (1.0, 1.1), "b2": (1.1, 1.2), "b3": (1.2, 1.4)}
"""Factors of width and depth."""


class EfficientNetV2(nn.Module):
    """The convolutional trunk: pictures to maps of a 32nd of their height and width.

    Args:
        size: ``b0`` to ``b3``.
        channels: of the pictures.
    """

    def __init__(self, size: str = "b2", channels: int = 3) -> None:
        super().__init__()
        width, depth = SIZES[size]
        current = rounded(_STEM * width)
        self.conv_stem = SameConv2d(channels, current, 3, 2, bias=False)
        self.bn1 = nn.BatchNorm2d(current, _EPSILON)
        stages = []
        for stage in STAGES:
            blocks: list[nn.Module] = []
            wide = rounded(stage.channels * width)
            for number in range(ceil(stage.repeats * depth - 1e-9)):
                blocks.append(_block(stage, current, wide, stage.stride if number == 0 else 1))
                current = wide
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.Sequential(*stages)
        self.channels = current
        """C of the maps."""

    def forward(self, x: Tensor) -> Tensor:
        """``x`` (N, channels, H, W) → (N, C, H / 32, W / 32), rounded up."""
        y: Tensor = self.blocks(self.stem(x))
        return y

    def stem(self, x: Tensor) -> Tensor:
        """What comes before the blocks."""
        return silu(self.bn1(self.conv_stem(x)))


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow's `same`: the odd pixel goes to the right and to the bottom."""

    def forward(self, x: Tensor) -> Tensor:
        """``x`` (N, C, H, W) → (N, C', H / stride, W / stride), rounded up."""
        amounts = []
        for length, kernel, stride in zip(x.shape[-2:], self.kernel_size, self.stride, strict=True):
            whole = max((ceil(length / stride) - 1) * stride + kernel - length, 0)
            amounts.append((whole // 2, whole - whole // 2))
        (top, bottom), (left, right) = amounts
        if any((top, bottom, left, right)):
            x = pad(x, (left, right, top, bottom))
        return super().forward(x)


class ConvBlock(nn.Module):
    """Convolution, norm, activation; with a skip where shapes allow it."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv = SameConv2d(inputs, outputs, 3, stride, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs, _EPSILON)
        self.skips = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W)."""
        y = silu(self.bn1(self.conv(x)))
        return x + y if self.skips else y


class FusedBlock(nn.Module):
    """Fused MBConv: expansion by a full convolution, then projection."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        middle = inputs * expansion
        self.conv_exp = SameConv2d(inputs, middle, 3, stride, bias=False)
        self.bn1 = nn.BatchNorm2d(middle, _EPSILON)
        self.conv_pwl = nn.Conv2d(middle, outputs, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs, _EPSILON)
        self.skips = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W)."""
        y: Tensor = self.bn2(self.conv_pwl(silu(self.bn1(self.conv_exp(x)))))
        return x + y if self.skips else y


class Excitation(nn.Module):
    """Squeeze and excitation (Hu et al. 2018): each channel is weighed by what all of the picture holds."""

    def __init__(self, channels: int, reduced: int) -> None:
        super().__init__()
        self.conv_reduce = nn.Conv2d(channels, reduced, 1)
        self.conv_expand = nn.Conv2d(reduced, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W)."""
        weight: Tensor = self.conv_expand(silu(self.conv_reduce(x.mean((2, 3), keepdim=True))))
        return x * weight.sigmoid()


class MBBlock(nn.Module):
    """MBConv: expansion, depthwise convolution, excitation, projection."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        middle = inputs * expansion
        self.conv_pw = nn.Conv2d(inputs, middle, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(middle, _EPSILON)
        self.conv_dw = SameConv2d(middle, middle, 3, stride, groups=middle, bias=False)
        self.bn2 = nn.BatchNorm2d(middle, _EPSILON)
        self.se = Excitation(middle, round(inputs / 4))
        self.conv_pwl = nn.Conv2d(middle, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs, _EPSILON)
        self.skips = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W)."""
        y: Tensor = self.bn3(self.conv_pwl(self.se(silu(self.bn2(self.conv_dw(silu(self.bn1(self.conv_pw(x)))))))))
        return x + y if self.skips else y


def rounded(channels: float) -> int:
    """The multiple of 8 nearest to ``channels``."""
    return max(8, int(channels + 4) // 8 * 8)


def trunk_weights(weights: Mapping[str, Tensor], channels: int) -> dict[str, Tensor]:
    """What of timm's weights the trunk takes, for pictures of ``channels``: 1 sums those of red, green and blue."""
    found = {name: value for name, value in weights.items() if not name.startswith(_TOP)}
    stem = found.get("conv_stem.weight")
    if stem is not None and stem.ndim == 4 and stem.shape[1] != channels:
        whole = stem.sum(1, keepdim=True)
        found["conv_stem.weight"] = whole.expand(-1, channels, -1, -1).contiguous() / channels
    return found


def _block(stage: Stage, inputs: int, outputs: int, stride: int) -> nn.Module:
    if stage.kind == "conv":
        return ConvBlock(inputs, outputs, stride)
    make = FusedBlock if stage.kind == "fused" else MBBlock
    return make(inputs, outputs, stride, stage.expansion)


def count_parameters(module: nn.Module) -> int:
    """Number of trainable values."""
    return sum(parameter.numel() for parameter in module.parameters())
