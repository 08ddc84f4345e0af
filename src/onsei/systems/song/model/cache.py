"""Keys and values of past positions, in memory that is taken once: a step writes its own place and copies nothing.

Keys lie with their positions side by side, so that one query meets them all at the speed of memory.

L layers, B batch, H heads, S positions, D channels of a head.
"""

from __future__ import annotations

from torch import Tensor


class Cache:
    """Room for the keys and values of ``capacity`` positions.

    Args:
        layers: L.
        batch: B.
        heads: H.
        capacity: most positions.
        width: D.
        like: a tensor of the device and number format.
    """

    def __init__(self, layers: int, batch: int, heads: int, capacity: int, width: int, like: Tensor) -> None:
        self._keys = like.new_empty(layers, batch, heads, width, capacity)
        self._values = like.new_empty(layers, batch, heads, capacity, width)
        self.length = 0
        """Positions that are held."""

    @property
    def capacity(self) -> int:
        """Most positions."""
        return self._keys.size(4)

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Write keys and values, (B, H, S, D), behind those that are held; returns all of the ``layer`` as views.

        ``length`` grows only by ``advance``, when the last layer has written.
        """
        end = self.length + keys.size(2)
        if end > self.capacity:
            raise IndexError(f"{end} positions in a cache for {self.capacity}")
        held = self._keys[layer].transpose(2, 3), self._values[layer]
        held[0][:, :, self.length : end] = keys
        held[1][:, :, self.length : end] = values
        return held[0][:, :, :end], held[1][:, :, :end]

    def advance(self, count: int) -> None:
        """All layers have written ``count`` positions."""
        self.length += count

    def cut(self, length: int) -> None:
        """Forget the positions from ``length`` on."""
        self.length = min(self.length, length)

    def keep(self, rows: Tensor) -> None:
        """Forget all items of the batch but ``rows``, (B',)."""
        self._keys, self._values = self._keys.index_select(1, rows), self._values.index_select(1, rows)
