"""Rotary positions (Su et al. 2021): heads turned by angles that grow with the position.

B batch, H heads, S positions, D channels of a head.
"""

from __future__ import annotations

import torch
from torch import Tensor


def angles(width: int, positions: Tensor, base: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines, each (S, width), in float32, for ``positions``, (S,)."""
    steps = torch.arange(0, width, 2, device=positions.device, dtype=torch.float32) / width
    turns = positions.float()[:, None] * (1.0 / base**steps)
    turns = torch.cat((turns, turns), -1)
    return turns.cos(), turns.sin()


def rotate(x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
    """Turn the first channels of x, (B, H, S, D), by ``angles``, (S, width ≤ D); further channels stay as they are."""
    cosine, sine = (part.to(x.dtype) for part in turns)
    width = cosine.size(-1)
    head, rest = x[..., :width], x[..., width:]
    first, second = head.chunk(2, -1)
    turned = head * cosine + torch.cat((-second, first), -1) * sine
    return torch.cat((turned, rest), -1) if rest.size(-1) else turned
