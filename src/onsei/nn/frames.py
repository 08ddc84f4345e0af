"""How many frames a stack of strided convolutions makes of its input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Frames:
    """Counts output frames.

    Args:
        layers: (kernel, stride, padding on each side) of each convolution over time.
    """

    layers: tuple[tuple[int, int, int], ...]

    @classmethod
    def unpadded(cls, kernels: Sequence[int], strides: Sequence[int]) -> Frames:
        """Of convolutions without padding."""
        return cls(tuple((kernel, stride, 0) for kernel, stride in zip(kernels, strides, strict=True)))

    @property
    def stride(self) -> int:
        """Input steps from one output frame to the next."""
        product = 1
        for _, stride, _ in self.layers:
            product *= stride
        return product

    @property
    def smallest(self) -> int:
        """Fewest input steps that make one frame; shorter input is taken for as long, with silence at its end."""
        steps = 1
        for kernel, stride, padding in reversed(self.layers):
            steps = max(1, (steps - 1) * stride + kernel - 2 * padding)
        return steps

    def count(self, steps: int) -> int:
        """Output frames for ``steps`` input steps; at least 1."""
        steps = max(steps, self.smallest)
        for kernel, stride, padding in self.layers:
            steps = (steps + 2 * padding - kernel) // stride + 1
        return steps

    def counts(self, lengths: Tensor) -> Tensor:
        """As ``count``, of ``lengths``, shape (B,)."""
        return torch.tensor([self.count(int(length)) for length in lengths], dtype=torch.long)
