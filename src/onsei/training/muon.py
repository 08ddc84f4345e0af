"""Muon for matrices and AdamW for everything else, as one optimizer.

torch's own takes matrices alone, so that a network needs two optimizers and the engine two passes back; and it computes
in bfloat16, which most CPUs do slowly.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

_A, _B, _C = 3.4445, -4.7750, 2.0315
_ROUNDS = 5
_MATCH = 0.2
"""Root mean square of AdamW's usual changes, which those of matrices are brought to (Liu et al. 2025, section 2.2)."""


class Muon(Optimizer):
    """Changes matrices by their momentum made orthogonal, so that all its directions count alike (Jordan et al. 2024).

    Args:
        groups: parameters with ``lr`` and ``weight_decay``. Groups with ``parts`` above 0 are of matrices, each of so
            many stacked ones (gates of recurrence, queries with keys and values); kernels count as matrices of outputs
            by the rest. All other groups are changed as by AdamW.
        betas: decays of the mean and of the mean square of gradients, for AdamW's part.
        momentum: decay of the mean of gradients, for matrices.
        eps: added to the root of the mean square.
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        *,
        betas: tuple[float, float] = (0.9, 0.98),
        momentum: float = 0.95,
        eps: float = 1e-8,
    ) -> None:
        defaults = {"lr": 1e-3, "weight_decay": 0.0, "parts": 0, "betas": betas, "momentum": momentum, "eps": eps}
        super().__init__(groups, defaults)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One change of all parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                change = self._turned(weight, group) if group["parts"] else self._scaled(weight, group)
                weight.mul_(1 - group["lr"] * group["weight_decay"]).add_(change, alpha=-group["lr"])
        return loss

    def _turned(self, weight: Tensor, group: dict[str, Any]) -> Tensor:
        state, momentum = self.state[weight], group["momentum"]
        if not state:
            state["mean"] = torch.zeros_like(weight)
        state["mean"].lerp_(weight.grad, 1 - momentum)
        ahead = weight.grad.lerp(state["mean"], momentum).flatten(1)  # type: ignore[union-attr]
        parts = [orthogonal(part) * _MATCH * max(part.shape) ** 0.5 for part in ahead.chunk(group["parts"])]
        return torch.cat(parts).view_as(weight)

    def _scaled(self, weight: Tensor, group: dict[str, Any]) -> Tensor:
        state, (first, second) = self.state[weight], group["betas"]
        if not state:
            state |= {"mean": torch.zeros_like(weight), "square": torch.zeros_like(weight), "count": torch.zeros(())}
        state["count"] += 1
        count = float(state["count"])
        state["mean"].lerp_(weight.grad, 1 - first)
        state["square"].mul_(second).addcmul_(weight.grad, weight.grad, value=1 - second)
        root = (state["square"] / (1 - second**count)).sqrt_().add_(group["eps"])
        change: Tensor = state["mean"] / (1 - first**count) / root
        return change


def orthogonal(matrix: Tensor) -> Tensor:
    """``matrix``, (n, m), with all singular values brought near 1, by five rounds of Newton and Schulz."""
    wide = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = wide.float() / (wide.float().norm() + 1e-7)
    for _ in range(_ROUNDS):
        square = x @ x.T
        x = torch.addmm(x, torch.addmm(square, square, square, beta=_B, alpha=_C), x, beta=_A)
    turned: Tensor = (x.T if matrix.shape[0] > matrix.shape[1] else x).to(matrix)
    return turned


def parts_of(name: str, weight: Tensor) -> int:
    """How many matrices a weight is, by its name in torch's layers; 0: none, so AdamW's.

    Embeddings, positions and queries are tables of vectors, not maps.
    """
    if weight.ndim < 2 or any(word in name for word in ("embed", "position", "places", "queries", "shared")):
        return 0
    stacked = any(word in name for word in ("weight_ih", "weight_hh", "in_proj_weight"))
    return weight.shape[0] // weight.shape[1] if stacked and weight.shape[0] % weight.shape[1] == 0 else 1
