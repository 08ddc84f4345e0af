"""The Runner: what a model of any stage makes of a recording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from onsei.hub import store
from onsei.metrics.units import collapsed
from onsei.systems.translation.acoustic.listener import Listener
from onsei.systems.translation.config import Candidate, Request, Translation
from onsei.systems.translation.ground.hearing import Hearing
from onsei.systems.translation.translator.inference import Sentence, UnitTranslator
from onsei.systems.translation.translator.saving import STAGE


class Translator:
    """A trained model. Of `pretrain` and `fit-units` it hears units; of `train` it also writes what they mean.

    Args:
        listener: hears units.
        hearing: those that ``writer`` understands; None where there is no writer.
        writer: makes sentences of them.
    """

    def __init__(
        self, listener: Listener, hearing: Hearing | None = None, writer: UnitTranslator | None = None
    ) -> None:
        self.listener, self.hearing, self.writer = listener, hearing, writer

    @classmethod
    def load(cls, folder: Path | str, device: str = "auto", dtype: str = "float32") -> Self:
        """Open a model folder. See ``system.Runner``; units are always heard in 32 bits."""
        saved = store.open(folder, system="translation")
        if saved.stage != STAGE:
            return cls(Listener.of(saved, device))
        writer = UnitTranslator.of(saved, device, dtype)
        hearing = Hearing.of(None, writer.config.get("acoustic", {}), writer.count, device, saved.path)
        return cls(hearing.listener, hearing, writer)

    def __call__(self, request: Request) -> Translation:
        """Hear, and where it can translate, one recording of any length."""
        return self.batch([request])[0]

    def batch(self, requests: Sequence[Request]) -> list[Translation]:
        """Hear many, each as it would be alone."""
        heard = [self.listener.units(request.audio) for request in requests]
        sentences = self._written(requests, [units for units, _ in heard])
        return [
            self._answer(units, seconds, written) for (units, seconds), written in zip(heard, sentences, strict=True)
        ]

    def stream(self, request: Request) -> Iterator[Translation]:
        """The whole, in one part."""
        yield self(request)

    def _written(self, requests: Sequence[Request], frames: Sequence[NDArray[np.int64]]) -> list[tuple[Sentence, ...]]:
        if self.writer is None or self.hearing is None:
            return [() for _ in requests]
        found: dict[int, tuple[Sentence, ...]] = {}
        for count in {request.n_best for request in requests}:  # another number of sentences is another search
            group = [n for n, request in enumerate(requests) if request.n_best == count]
            clips = [self.hearing.kept(frames[n]) for n in group]
            written = self.writer(clips, n_best=count)
            found |= {n: one.sentences for n, one in zip(group, written, strict=True)}
        return [found[n] for n in range(len(requests))]

    def _answer(self, units: NDArray[np.int64], seconds: float, sentences: Sequence[Sentence]) -> Translation:
        kept, lengths = collapsed(units)
        return Translation(
            text=sentences[0].text if sentences else "",
            candidates=tuple(Candidate(one.text, one.score) for one in sentences),
            units=tuple(kept.tolist()),
            frames=tuple(lengths.tolist()),
            frame_seconds=self.listener.frame_seconds,
            duration=round(seconds, 3),
        )
