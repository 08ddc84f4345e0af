"""The language model over sketch tokens and acoustic vectors: a Llama without token embeddings (Touvron et al. 2023).

B batch, S positions, C channels, H heads, D channels of a head.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention, silu
from torch.utils.checkpoint import checkpoint

from onsei.nn.rotary import angles, rotate
from onsei.systems.song.model.cache import Cache

WIDENING = 4
"""Channels of the feed-forward layers, as a multiple of the model's."""


class RMSNorm(nn.Module):
    """Division by the root mean square, computed in float32 (Zhang and Sennrich 2019)."""

    def __init__(self, dim: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """x, (…, C)."""
        wide = x.float()
        scaled = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return self.weight * scaled.to(x.dtype)


class Attention(nn.Module):
    """Causal attention over all positions that are held, with rotary positions over whole heads."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(dim, dim, bias=False)
        self.k_proj = nn.Linear(dim, dim, bias=False)
        self.v_proj = nn.Linear(dim, dim, bias=False)
        self.o_proj = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor, turns: tuple[Tensor, Tensor], cache: Cache | None, layer: int) -> Tensor:
        """x, (B, S, C); ``turns`` are the angles of its positions."""
        batch, size, dim = x.shape
        query, key, value = (
            project(x).view(batch, size, self.heads, -1).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        query, key = rotate(query, turns), rotate(key, turns)
        past = 0
        if cache is not None:
            past = cache.length
            held = cache.extend(layer, key, value)
            key, value = held if past else (key, value)
        if size == 1:
            heard = _met(query, key, value)
        else:
            mask = _later(size, past, x.device) if past else None
            heard = scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=not past)
        out: Tensor = self.o_proj(heard.transpose(1, 2).reshape(batch, size, dim))
        return out


def _met(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention of one query, (B, H, 1, D), to all keys: two products with a vector, at the speed of memory."""
    scores = (query * query.size(-1) ** -0.5) @ key.transpose(2, 3)
    heard: Tensor = scores.softmax(-1, dtype=torch.float32).to(value.dtype) @ value
    return heard


def _later(size: int, past: int, device: torch.device) -> Tensor:
    """Which of past + size positions each of the last ``size`` may see: bool, (size, past + size)."""
    return torch.ones(size, past + size, dtype=torch.bool, device=device).tril(past)


class FeedForward(nn.Module):
    """SwiGLU (Shazeer 2020)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(dim, WIDENING * dim, bias=False)
        self.up_proj = nn.Linear(dim, WIDENING * dim, bias=False)
        self.down_proj = nn.Linear(WIDENING * dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x, (B, S, C)."""
        out: Tensor = self.down_proj(silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class Layer(nn.Module):
    """Attention and feed-forward, each behind its norm and beside a path around it."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.self_attn = Attention(dim, heads)
        self.mlp = FeedForward(dim)
        self.input_layernorm = RMSNorm(dim)
        self.post_attention_layernorm = RMSNorm(dim)

    def forward(self, x: Tensor, turns: tuple[Tensor, Tensor], cache: Cache | None = None, layer: int = 0) -> Tensor:
        """x, (B, S, C)."""
        x = x + self.self_attn(self.input_layernorm(x), turns, cache, layer)
        out: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return out


class SketchLM(nn.Module):
    """The stack of layers and its last norm.

    Args:
        dim: C.
        heads: H.
        layers: how many.
        base: of the rotary positions.
    """

    def __init__(self, dim: int, heads: int, layers: int, base: float) -> None:
        super().__init__()
        self.heads, self.width, self.base = heads, dim // heads, base
        self.layers = nn.ModuleList(Layer(dim, heads) for _ in range(layers))
        self.norm = RMSNorm(dim)
        self.checkpointing = False
        """Whether activations are computed again in the backward pass: less memory, more time."""

    def forward(self, x: Tensor, cache: Cache | None = None) -> Tensor:
        """Hidden states, (B, S, C), of inputs x, (B, S, C), that stand behind what the ``cache`` holds; it takes them.

        There is no padding mask: every position sees all before it.
        """
        past = 0 if cache is None else cache.length
        positions = torch.arange(past, past + x.size(1), device=x.device)
        turns = angles(self.width, positions, self.base)
        for number, layer in enumerate(self.layers):
            if self.checkpointing and torch.is_grad_enabled():
                x = checkpoint(layer, x, turns, use_reentrant=False)
            else:
                x = layer(x, turns, cache, number)
        if cache is not None:
            cache.advance(x.size(1))
        out: Tensor = self.norm(x)
        return out

    def cache(self, batch: int, capacity: int) -> Cache:
        """An empty cache for ``batch`` sequences of up to ``capacity`` positions."""
        return Cache(len(self.layers), batch, self.heads, capacity, self.width, self.norm.weight)
