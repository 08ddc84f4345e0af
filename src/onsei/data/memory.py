"""What a process keeps of rows for the next epochs, up to a number of bytes."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass
class Memory(Generic[Key, Value]):
    """The first values that fit; a worker process begins with an empty one of its own."""

    most: float
    """Bytes."""
    used: float = 0.0
    """Bytes."""
    kept: dict[Key, Value] = field(default_factory=dict)

    def __reduce__(self) -> tuple[type[Memory[Key, Value]], tuple[float]]:
        return type(self), (self.most,)

    def get(self, key: Key) -> Value | None:
        """The value of ``key``, if it is kept."""
        return self.kept.get(key)

    def keep(self, key: Key, value: Value, size: int) -> None:
        """Keep ``value``, of ``size`` bytes, if there is room."""
        if key not in self.kept and self.used + size <= self.most:
            self.kept[key] = value
            self.used += size
