"""How far apart two answers are that should be alike."""

from __future__ import annotations

from torch import Tensor


def divergence(first: Tensor, second: Tensor) -> Tensor:
    """Mean of both Kullback-Leibler divergences between log-probabilities of the same shape (..., N): shape (...).

    Each is drawn to the other as it is: no gradient runs through the one that is aimed at.
    """
    onto_first = (first.detach().exp() * (first.detach() - second)).sum(-1)
    onto_second = (second.detach().exp() * (second.detach() - first)).sum(-1)
    return 0.5 * (onto_first + onto_second)
