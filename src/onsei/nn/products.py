"""Products with weights that stay, on processors: by oneDNN where it beats the BLAS that torch was built with.

That was so on an AMD processor with AVX-512: decision 0011. M rows, K values in, N values out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn

_LEAST = 2**16
"""Weights of the smallest layer that is worth it."""
_GAIN = 1.25
"""How much faster oneDNN must be, since what it takes and gives is copied."""


@cache
def onednn_is_faster() -> bool:
    """Whether oneDNN multiplies float32 faster than the BLAS on this processor: timed once, for a few milliseconds."""
    built: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not built:
        return False
    layer, x = nn.Linear(512, 512), torch.ones(512, 512)
    other = _OneDNN(layer)
    with torch.inference_mode():
        return _seconds(lambda: layer(x)) > _GAIN * _seconds(lambda: other(x))


class Product:
    """x @ weight, for inference.

    Args:
        weight: float32, shape (K, N), on the CPU; it must not change any more.
        often: whether there will be many products, so that it pays to rearrange the weight for oneDNN.
    """

    def __init__(self, weight: Tensor, *, often: bool = True) -> None:
        self.weight = weight
        self._quick: nn.Module | None = None
        if often and weight.numel() >= _LEAST and weight.dtype == torch.float32 and onednn_is_faster():
            layer = nn.Linear(weight.size(0), weight.size(1), bias=False)
            layer.weight = nn.Parameter(weight.T.contiguous(), requires_grad=False)
            self._quick = _OneDNN(layer)

    def __call__(self, x: Tensor) -> Tensor:
        """x, (M, K): (M, N)."""
        made: Tensor = x @ self.weight if self._quick is None else self._quick(x)
        return made

    def add(self, out: Tensor, x: Tensor) -> None:
        """Add the product of x, (M, K), to ``out``, (M, N)."""
        if self._quick is None:
            out.addmm_(x, self.weight)
        else:
            out += self._quick(x)


def quicken_linear(model: nn.Module) -> None:
    """Let the large linear layers of ``model``, float32 on the CPU, be computed by oneDNN where that is faster.

    The model answers as before, to rounding, but is not one to save or train.
    """
    for name, part in list(model.named_children()):
        if type(part) is not nn.Linear:
            quicken_linear(part)
        elif part.weight.numel() >= _LEAST and part.weight.dtype == torch.float32 and onednn_is_faster():
            setattr(model, name, _OneDNN(part))


class _OneDNN(nn.Linear):
    """A linear layer, computed by oneDNN. Its weights stay where those look for them that compute with them alone."""

    def __init__(self, layer: nn.Linear) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.weight, self.bias = layer.weight, layer.bias
        self._arranged = layer.weight.detach().to_mkldnn()
        self._added = None if layer.bias is None else layer.bias.detach().to_mkldnn()

    def forward(self, x: Tensor) -> Tensor:
        """x, (..., K): (..., N)."""
        made: Tensor = torch.ops.aten.mkldnn_linear(x.to_mkldnn(), self._arranged, self._added).to_dense()
        return made


def _seconds(work: Callable[[], Tensor]) -> float:
    """Seconds that ``work`` takes: the least of five times."""
    work()
    times = []
    for _ in range(5):
        since = time.perf_counter()
        work()
        times.append(time.perf_counter() - since)
    return min(times)
