"""An exponential moving average of weights, which often generalizes better than the last ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn


class ExponentialMovingAverage:
    """Averages of ``tensors``, held beside them (Polyak & Juditsky 1992; the decay grows with the updates made).

    Args:
        tensors: floating-point tensors by name, as they will be trained in place.
        decay: part of the average kept at each update once many were made; at first it is ``(1 + n) / (10 + n)``.
    """

    def __init__(self, tensors: Mapping[str, Tensor], decay: float) -> None:
        self._live = {name: tensor.detach() for name, tensor in tensors.items()}
        self._average = {name: tensor.clone() for name, tensor in self._live.items()}
        self._decay = decay
        self._updates = 0

    def update(self) -> None:
        """Take in the tensors as they are now."""
        self._updates += 1
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates))
        if self._live:
            average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
            average(list(self._average.values()), list(self._live.values()), torch.tensor(self._updates))

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """Within the context the tensors hold their averages; afterwards exactly what they held before."""
        before = {name: tensor.clone() for name, tensor in self._live.items()}
        try:
            self.write_to_tensors()
            yield
        finally:
            for name, tensor in self._live.items():
                tensor.copy_(before[name])

    def write_to_tensors(self) -> None:
        """Give the tensors their averages for good."""
        for name, tensor in self._live.items():
            tensor.copy_(self._average[name])

    def restart(self) -> None:
        """Forget the past: the averages are the tensors as they are now."""
        self._updates = 0
        for name, tensor in self._live.items():
            self._average[name].copy_(tensor)

    def averages(self, suffixes: tuple[str, ...] = ("",)) -> dict[str, Tensor]:
        """The averages whose names end in one of ``suffixes``."""
        return {name: tensor for name, tensor in self._average.items() if name.endswith(suffixes)}

    def state_dict(self) -> dict[str, object]:
        """The averages and the number of updates."""
        return {"updates": self._updates, "average": dict(self._average)}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Take back what ``state_dict`` gave, in place."""
        updates, average = state["updates"], state["average"]
        if not isinstance(updates, int) or not isinstance(average, Mapping):
            raise TypeError("expected `updates` and `average` of an ExponentialMovingAverage")
        self._updates = updates
        for name, tensor in self._average.items():
            tensor.copy_(average[name])
