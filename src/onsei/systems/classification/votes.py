"""Votes: the pieces of a sound decide together.

P pieces, B sounds, N classes.
"""

from __future__ import annotations

import torch
from torch import Tensor


def voted(logits: Tensor, owners: Tensor, sounds: int) -> Tensor:
    """Mean of the probabilities that the pieces of each sound give.

    Args:
        logits: scores of the pieces, shape (P, N).
        owners: the sound that each piece is of, shape (P,).
        sounds: how many there are, B; each has a piece.

    Returns:
        float32, shape (B, N); each row sums to 1.
    """
    chances = torch.softmax(logits.float(), -1)
    owners = owners.to(chances.device)
    total = torch.zeros(sounds, chances.size(1), device=chances.device).index_add_(0, owners, chances)
    return total / torch.bincount(owners, minlength=sounds)[:, None]
