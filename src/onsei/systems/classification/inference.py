"""The Classifier: a trained network that tells what a sound is.

D feature rows, T samples or frames, N classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from onsei.audio import io
from onsei.config import from_dict
from onsei.errors import AudioError, ModelError
from onsei.hub import store
from onsei.nn import abreast
from onsei.nn.device import pick_device, pick_dtype, suited
from onsei.systems.classification import network
from onsei.systems.classification.config import Classification, Features, Request, Score
from onsei.systems.classification.data.front import FrontEnd, pieces
from onsei.systems.classification.fusing import fused

_TOGETHER, _SECONDS = 32, {"mel": 160.0, "wave": 40.0}
"""Most pieces that the network hears at once, and most seconds of them: convolutions over samples take memory."""
_ALONE = 24
"""Pieces that a thread must have for itself: fewer are heard as soon or sooner if all threads share each operation."""


class Classifier:
    """A trained classifier.

    Args:
        model: the network.
        features: what it hears.
        labels: names of its classes.
        device: where it computes.
        dtype: its number format.
    """

    def __init__(
        self, model: nn.Module, features: Features, labels: Sequence[str], device: torch.device, dtype: torch.dtype
    ) -> None:
        self.model, self.dtype = suited(model, device, dtype)
        self.features = features
        self.labels = tuple(labels)
        self.device = device
        self._front = FrontEnd(features)
        self._together = max(1, min(_TOGETHER, int(_SECONDS[features.kind] / features.seconds)))

    @classmethod
    def load(cls, folder: Path | str, device: str = "auto", dtype: str = "float32") -> Self:
        """Open a model folder. See ``system.Runner``."""
        saved = store.open(folder, system="classification")
        missing = [name for name in ("features", "model", "encoder") if name not in saved.config]
        if missing:
            raise ModelError(f"{folder}/onsei.json: config lacks {', '.join(missing)}", "copy the whole folder again")
        features = from_dict(Features, saved.config["features"], source=f"{folder}/onsei.json")
        model = fused(network.opened(saved, features))
        return cls(model, features, saved.labels, pick_device(device), pick_dtype(dtype))

    @property
    def sample_rate(self) -> int:
        """Sampling rate of what it hears, in Hz."""
        return self.features.sample_rate

    def __call__(self, request: Request) -> Classification:
        """Name one sound of any length."""
        *_, last = self.stream(request)
        return last

    def batch(self, requests: Sequence[Request]) -> list[Classification]:
        """Name many sounds, each as it would be alone; short ones share the network's batches."""
        answers: dict[int, Classification] = {}
        together: list[tuple[int, NDArray[np.float32]]] = []
        for number, request in enumerate(requests):
            spans = self._spans(request)
            if len(spans) > 1:
                answers[number] = self(request)
                continue
            together.append((number, self._heard(request, *spans[0])))
            if len(together) == self._together or number == len(requests) - 1:
                answers |= self._answered(together, requests)
                together = []
        answers |= self._answered(together, requests)
        return [answers[number] for number in range(len(requests))]

    def stream(self, request: Request) -> Iterator[Classification]:
        """Name a sound piece by piece: each result is the vote of all that was heard so far."""
        spans = self._spans(request)
        total, seconds = np.zeros(len(self.labels)), io.info(request.audio).duration
        for first in range(0, len(spans), self._together):
            part = spans[first : first + self._together]
            chances = self._chances([self._heard(request, *span) for span in part])
            total = total + chances.astype(np.float64).sum(0)
            done = min(first + self._together, len(spans))
            start, length = part[-1]
            heard = seconds if done == len(spans) else (start + length) / self.sample_rate
            yield self.named(total / done, heard, request.top_k)

    def probabilities(self, sounds: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """How likely each class is, by the vote of all pieces of each sound.

        Args:
            sounds: float32 arrays of shape (T,) at ``sample_rate``, of any lengths from 1 on.

        Returns:
            float32, shape (number of sounds, N); each row sums to 1. Column n stands for ``labels[n]``.
        """
        empty = next((n for n, sound in enumerate(sounds) if not len(sound)), None)
        if empty is not None:
            raise AudioError(f"sound {empty}: holds no samples", "leave it out")
        spans = [(n, *span) for n, sound in enumerate(sounds) for span in pieces(len(sound), self.features)]
        spans.sort(key=lambda span: span[2])
        parts = [spans[share] for share in abreast.shares(len(spans), self._together, _ALONE, self.device)]
        heard = [[sounds[n][a : a + size] for n, a, size in part] for part in parts]
        total, votes = np.zeros((len(sounds), len(self.labels))), np.zeros(len(sounds))
        for part, chances in zip(parts, abreast.mapped(self._chances, heard, self.device), strict=True):
            owners = np.array([n for n, _, _ in part])
            np.add.at(total, owners, chances)
            np.add.at(votes, owners, 1)
        return (total / np.maximum(votes, 1)[:, None]).astype(np.float32)

    @torch.inference_mode()
    def scores(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Scores before softmax, (P, N) on the CPU, of padded pieces, (P, D, T), of ``lengths`` frames, (P,)."""
        logits: Tensor = self.model(features.to(self.device, self.dtype), lengths)
        return logits.float().cpu()

    def named(self, chances: NDArray[np.floating], seconds: float, top_k: int) -> Classification:
        """The likeliest classes of probabilities, shape (N,)."""
        best = np.argsort(-chances, kind="stable")[:top_k]
        scores = tuple(Score(self.labels[n], round(min(max(float(chances[n]), 0.0), 1.0), 6)) for n in best)
        return Classification(scores, round(seconds, 3))

    def _answered(
        self, together: Sequence[tuple[int, NDArray[np.float32]]], requests: Sequence[Request]
    ) -> dict[int, Classification]:
        if not together:
            return {}
        chances = self.probabilities([sound for _, sound in together])
        return {
            number: self.named(row, io.info(requests[number].audio).duration, requests[number].top_k)
            for (number, _), row in zip(together, chances, strict=True)
        }

    def _chances(self, sounds: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Probabilities of single pieces, (P, N)."""
        chances: NDArray[np.float32] = torch.softmax(self.scores(*self._front.batch(sounds)), -1).numpy()
        return chances

    def _spans(self, request: Request) -> list[tuple[int, int]]:
        return pieces(max(1, round(io.info(request.audio).duration * self.sample_rate)), self.features)

    def _heard(self, request: Request, start: int, length: int) -> NDArray[np.float32]:
        rate = self.sample_rate
        samples, _ = io.load(request.audio, rate, offset=start / rate, duration=length / rate)
        return samples
