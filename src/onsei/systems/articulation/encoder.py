"""Encoders of single frames: a few convolutions, or EfficientNetV2; each picture gives a vector.

N pictures, C channels, H height, W width, D features.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import chain, pairwise
from math import ceil

import torch
from torch import Tensor, nn
from torch.nn.functional import relu
from torch.utils.checkpoint import checkpoint

from onsei.nn.efficientnet import EfficientNetV2
from onsei.systems.articulation.config.network import Model

_GROUPS = 4
_LARGE_STRIDE = 32


class SmallEncoder(nn.Module):
    """Convolutions of 3 × 3, each halving the picture.

    Args:
        inputs: channels of the picture.
        channels: of each convolution.
        norm: ``batch``, or ``group`` (over each picture by itself).
    """

    def __init__(self, inputs: int, channels: Sequence[int], norm: str = "batch") -> None:
        super().__init__()
        blocks = []
        for outputs in channels:
            normal = nn.BatchNorm2d(outputs) if norm == "batch" else nn.GroupNorm(_GROUPS, outputs)
            blocks.append(nn.Sequential(nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), normal, nn.ReLU()))
            inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.channels = inputs
        """C of the map."""

    def forward(self, x: Tensor) -> Tensor:
        """``x`` (N, inputs, H, W) → (N, C, h, w)."""
        y: Tensor = self.blocks(x)
        return y

    def stem(self, x: Tensor) -> Tensor:
        """What comes before the blocks: nothing."""
        return x


class FrameEncoder(nn.Module):
    """Pictures to vectors: a convolutional ``trunk``, then the mean over the picture or every place of it.

    Args:
        options: the network.
    """

    def __init__(self, options: Model) -> None:
        super().__init__()
        inputs = options.input_channels * options.stack
        self.trunk: SmallEncoder | EfficientNetV2
        if options.encoder == "small":
            self.trunk = SmallEncoder(inputs, options.channels, options.norm)
            steps = len(options.channels)
        else:
            self.trunk = EfficientNetV2(options.encoder.removeprefix("efficientnetv2_"), inputs)
            steps = _LARGE_STRIDE.bit_length() - 1
        # Channels last: 0.7 of the time for the small encoder on a CPU.
        self.trunk.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        side = options.size
        for _ in range(steps):
            side = ceil(side / 2)
        self.pool = options.pool
        width = self.trunk.channels * (1 if options.pool == "mean" else side * side)
        self.reduce = nn.Linear(width, options.features) if options.features else None
        self.features = options.features or width
        """D."""
        self.segments = 0
        """Parts whose activations are computed again in the backward pass; 0: none are."""

    def forward(self, pictures: Tensor) -> Tensor:
        """``pictures`` (N, channels, H, W) in 0..1 → (N, D)."""
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        x = self.recomputed(pictures) if self.segments and torch.is_grad_enabled() else self.trunk(pictures)
        x = x.mean((2, 3)) if self.pool == "mean" else x.flatten(1)
        return x if self.reduce is None else relu(self.reduce(x))

    def recomputed(self, x: Tensor) -> Tensor:
        """The trunk with activations kept between ``segments`` parts of its blocks only."""
        stages = [stage if isinstance(stage, nn.Sequential) else [stage] for stage in self.trunk.blocks]
        deep = isinstance(self.trunk, EfficientNetV2)
        blocks: list[nn.Module] = list(chain.from_iterable(stages)) if deep else list(self.trunk.blocks)
        x = self.trunk.stem(x)
        count = min(self.segments, len(blocks))
        cuts = [round(n * len(blocks) / count) for n in range(count + 1)]
        for start, end in pairwise(cuts):
            x = _kept_at_ends(nn.Sequential(*blocks[start:end]), x)
        return x


def _kept_at_ends(part: nn.Sequential, x: Tensor) -> Tensor:
    """``part`` of ``x``, of whose activations none are kept."""
    made: Tensor = checkpoint(part, x, use_reentrant=False, context_fn=lambda: (nullcontext(), _still(part)))
    return made


@contextmanager
def _still(part: nn.Module) -> Iterator[None]:
    """Running statistics stay as they are while ``part`` is computed a second time."""
    norms = [module for module in part.modules() if isinstance(module, nn.BatchNorm2d)]
    kept = [(norm, norm.momentum) for norm in norms]
    counts = [None if norm.num_batches_tracked is None else norm.num_batches_tracked.clone() for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for (norm, momentum), count in zip(kept, counts, strict=True):
            norm.momentum = momentum
            if count is not None and norm.num_batches_tracked is not None:
                norm.num_batches_tracked.copy_(count)
