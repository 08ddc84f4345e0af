"""What the language model hears of a block of latents: one vector.

B batch, N blocks, P frames of a block, Z latent channels, C channels.
"""

from __future__ import annotations

from torch import Tensor, nn


class Flatten(nn.Module):
    """Latents (B, Z, N · P) as one row a block, (B, N, P · Z), frame after frame."""

    def __init__(self, block_size: int) -> None:
        super().__init__()
        self.block_size = block_size

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return blocks(x, self.block_size).flatten(2)


class BlockEncoder(nn.Sequential):
    """Two linear layers over the latents of a block, (B, Z, N · P) to (B, N, C)."""

    def __init__(self, block_size: int, latent_dim: int, dim: int) -> None:
        super().__init__(Flatten(block_size), nn.Linear(block_size * latent_dim, dim), nn.SiLU(), nn.Linear(dim, dim))


def blocks(x: Tensor, block_size: int) -> Tensor:
    """Latents (B, Z, N · P) as blocks of frames, (B, N, P, Z)."""
    batch, channels, frames = x.shape
    return x.view(batch, channels, frames // block_size, block_size).permute(0, 2, 3, 1)


def joined(x: Tensor) -> Tensor:
    """Blocks (B, N, P, Z) as latents (B, Z, N · P)."""
    return x.flatten(1, 2).transpose(1, 2)
