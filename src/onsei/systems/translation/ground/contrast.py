"""InfoNCE in both directions: each clip finds its picture in the batch, and each picture its clip.

B batch, E size of the space.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy


def contrastive_loss(
    speech: Tensor, pictures: Tensor, scale: Tensor, same: Tensor | None = None, hard: float = 0.0
) -> Tensor:
    """Mean over both directions (van den Oord et al. 2018; Radford et al. 2021, figure 3).

    Args:
        speech: vectors of clips, (B, E), of length 1.
        pictures: vectors of their pictures, (B, E), of length 1.
        scale: one over the temperature.
        same: True where clip and picture of different rows belong together too (one picture with several clips),
            (B, B); such a pair is no negative.
        hard: negatives count in proportion to exp(hard · similarity) (Robinson et al. 2021, section 4); 0: alike.

    Returns:
        The loss; where nothing was learned, and all similarities are equal, it is the logarithm of B.
    """
    similarity = speech.float() @ pictures.float().T
    apart = torch.eye(len(similarity), dtype=torch.bool, device=similarity.device)
    hidden = torch.zeros_like(apart) if same is None else same.to(similarity.device) & ~apart
    ways = ((similarity, hidden), (similarity.T, hidden.T))
    return sum((_one_way(s, scale.float(), h, hard) for s, h in ways), similarity.new_zeros(())) / 2


def _one_way(similarity: Tensor, scale: Tensor, hidden: Tensor, hard: float) -> Tensor:
    """Cross-entropy of the diagonal in the rows of ``similarity``, (B, B), without what is ``hidden``, (B, B)."""
    size = len(similarity)
    logits = scale * similarity
    if hard and size > 1:
        own = torch.eye(size, dtype=torch.bool, device=logits.device)
        weights = hard * similarity.detach().masked_fill(own | hidden, -torch.inf)
        negatives = (size - 1 - hidden.sum(1, keepdim=True)).clamp(min=1)
        mean = weights.logsumexp(1, keepdim=True) - negatives.log()
        logits = logits + (weights - mean).nan_to_num(neginf=0.0, posinf=0.0).masked_fill(own, 0.0)
    logits = logits.masked_fill(hidden, -torch.inf)
    return cross_entropy(logits, torch.arange(size, device=logits.device))
