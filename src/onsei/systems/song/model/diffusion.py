"""The diffusion transformer: from a hidden state, the sketch and the block before to the velocity of a block's latents.

B batch, P frames of a block, Z latent channels, C channels, H heads, D channels of a head.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, scaled_dot_product_attention, silu
from torch.utils.checkpoint import checkpoint

from onsei.nn.rotary import angles, rotate
from onsei.systems.song.model.sketch_lm import WIDENING

_BASE = 20000.0
"""Of the rotary positions: that of the released network, whatever the language model's is."""
_TURNED = 32
"""Channels of a head that rotary positions turn, at least; else half of them."""


class Norm(nn.Module):
    """Layer norm with a scale; its shift is a constant zero that checkpoints hold."""

    beta: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dim))
        self.register_buffer("beta", torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        """x, (…, C)."""
        return layer_norm(x, x.shape[-1:], self.gamma, self.beta)


class Attention(nn.Module):
    """Attention of all positions to all."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.to_out = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
        """x, (B, S, C)."""
        batch, size, dim = x.shape
        query, key, value = self.to_qkv(x).view(batch, size, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        heard = scaled_dot_product_attention(rotate(query, turns), rotate(key, turns), value)
        out: Tensor = self.to_out(heard.transpose(1, 2).reshape(batch, size, dim))
        return out


class Gate(nn.Module):
    """The two halves of SwiGLU (Shazeer 2020)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.up_proj = nn.Linear(dim, WIDENING * dim, bias=False)
        self.gate_proj = nn.Linear(dim, WIDENING * dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x, (B, S, C)."""
        out: Tensor = silu(self.gate_proj(x)) * self.up_proj(x)
        return out


class FeedForward(nn.Module):
    """SwiGLU, under the names of the released checkpoints."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.ff = nn.Sequential(Gate(dim), nn.Identity(), nn.Linear(WIDENING * dim, dim, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """x, (B, S, C)."""
        out: Tensor = self.ff(x)
        return out


class Layer(nn.Module):
    """Attention and feed-forward, each behind its norm and beside a path around it."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.pre_norm = Norm(dim)
        self.self_attn = Attention(dim, heads)
        self.ff_norm = Norm(dim)
        self.ff = FeedForward(dim)

    def forward(self, x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
        """x, (B, S, C)."""
        x = x + self.self_attn(self.pre_norm(x), turns)
        out: Tensor = x + self.ff(self.ff_norm(x))
        return out


class DiffusionTransformer(nn.Module):
    """A stack of layers in which all positions see all (Peebles and Xie 2023).

    Args:
        dim: C.
        heads: H.
        layers: how many.
    """

    def __init__(self, dim: int, heads: int, layers: int) -> None:
        super().__init__()
        self.turned = max(dim // heads // 2, _TURNED)
        self.layers = nn.ModuleList(Layer(dim, heads) for _ in range(layers))
        self.checkpointing = False
        """Whether activations are computed again in the backward pass: less memory, more time."""

    def forward(self, x: Tensor) -> Tensor:
        """x, (B, S, C)."""
        turns = angles(self.turned, torch.arange(x.size(1), device=x.device), _BASE)
        for layer in self.layers:
            again = self.checkpointing and torch.is_grad_enabled()
            x = checkpoint(layer, x, turns, use_reentrant=False) if again else layer(x, turns)
        return x


class FourierFeatures(nn.Module):
    """Cosines and sines of a time at learned frequencies, (B,) to (B, features)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features // 2, 1))

    def forward(self, time: Tensor) -> Tensor:
        """See the class."""
        turns = 2 * math.pi * time[:, None].to(self.weight.dtype) @ self.weight.T
        return torch.cat((turns.cos(), turns.sin()), -1)
