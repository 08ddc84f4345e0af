"""Drawing tokens from logits: temperature, top-k, top-p, a penalty on what was drawn of late.

B batch, V tokens, W tokens remembered.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def penalized(logits: Tensor, recent: Tensor, penalty: float, exempt: int) -> Tensor:
    """Logits with those of recent tokens divided by ``penalty``, whatever their sign.

    Args:
        logits: shape (B, V).
        recent: tokens that were drawn of late, (B, W); one that comes twice counts once.
        penalty: the divisor.
        exempt: token that keeps its logit.
    """
    seen = torch.zeros_like(logits, dtype=torch.bool).scatter_(1, recent, True)
    seen[:, exempt] = False
    return torch.where(seen, logits / penalty, logits)


def draw(
    logits: Tensor, generators: Sequence[torch.Generator], *, temp: float = 1.0, top_k: int = 0, top_p: float = 0.0
) -> Tensor:
    """One token a row, drawn with the row's own generator: a row gets what it gets alone.

    Args:
        logits: shape (B, V).
        generators: one a row, on the CPU, so that every device draws alike.
        temp: temperature; a small one prefers likely tokens.
        top_k: draw from so many of the most likely tokens; 0: from all.
        top_p: of these, draw from the most likely ones that hold this probability together (Holtzman et al. 2020);
            0: from all.

    Returns:
        int64, shape (B,).
    """
    chances = (logits.float() / temp).softmax(-1)
    if 0 < top_k < chances.size(-1):
        least = chances.topk(top_k, -1).values[:, -1:]
        chances = torch.where(chances >= least, chances, 0.0)
        chances = chances / chances.sum(-1, keepdim=True)
    if 0 < top_p < 1:
        ranked, order = chances.sort(-1, descending=True)
        before = ranked.cumsum(-1) - ranked
        ranked = torch.where(before < top_p, ranked, 0.0)
        chances = torch.zeros_like(chances).scatter_(1, order, ranked)
    races = [torch.empty(chances.size(-1)).exponential_(generator=generator) for generator in generators]
    return (chances / torch.stack(races).to(chances.device)).argmax(-1)
