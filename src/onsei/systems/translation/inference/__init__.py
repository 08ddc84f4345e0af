"""The Runner: what a model of any stage makes of a recording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from onsei.metrics.units import collapsed
from onsei.systems.translation.acoustic.listener import Listener
from onsei.systems.translation.config import Request, Translation


class Translator:
    """A trained model. Of `pretrain` and `fit-units` it hears units.

    Args:
        listener: hears them.
    """

    def __init__(self, listener: Listener) -> None:
        self.listener = listener

    @classmethod
    def load(cls, folder: Path | str, device: str = "auto", dtype: str = "float32") -> Self:
        """Open a model folder. See ``system.Runner``; units are always heard in 32 bits."""
        return cls(Listener.load(folder, device))

    def __call__(self, request: Request) -> Translation:
        """Hear one recording of any length."""
        units, seconds = self.listener.units(request.audio)
        kept, lengths = collapsed(units)
        return Translation(
            units=tuple(kept.tolist()),
            frames=tuple(lengths.tolist()),
            frame_seconds=self.listener.frame_seconds,
            duration=round(seconds, 3),
        )

    def batch(self, requests: Sequence[Request]) -> list[Translation]:
        """Hear many, each as it would be alone."""
        return [self(request) for request in requests]

    def stream(self, request: Request) -> Iterator[Translation]:
        """The whole, in one part."""
        yield self(request)
