"""Audio classifiers of transformers, from a folder or the Hub, as Classifiers; their code is transformers' own only.

P pieces, T samples, N classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from onsei.hub import store
from onsei.nn.device import pick_device, pick_dtype
from onsei.systems.classification.config import Features
from onsei.systems.classification.inference import Classifier
from onsei.units import classifiers, ssl
from onsei.units.front import quicken

_PIECE = 30.0
"""Longest sound that is heard at once, in seconds, where the network sets no limit of its own."""
_TOGETHER = 40.0
"""Seconds of sound that the network is given at once."""
_FIXED = ("ASTFeatureExtractor", "WhisperFeatureExtractor")
"""Extractors that bring every sound to one length: what is beside it in a batch does not matter."""


def open_classifier(model: str | Path, device: str = "auto", dtype: str = "float32") -> Classifier:
    """The classifier in a folder or Hub repository, whether onsei or transformers wrote it.

    Raises:
        ModelError: there is no such model, or it is no audio classifier that can be opened without running its code.
    """
    folder = ssl.locate(model)
    kind = Classifier if (folder / store.MODEL_FILE).is_file() else Foreign
    return kind.load(folder, device, dtype)


class Foreign(Classifier):
    """An audio classifier of transformers.

    A sound that is not longer than a piece is heard as transformers' pipeline hears it; longer ones are heard in
    pieces, which vote.

    Args:
        model: transformers' network.
        extractor: its feature extractor.
        labels: names of its classes.
        device: where it computes.
        dtype: its number format.
    """

    def __init__(
        self, model: Any, extractor: Any, labels: Sequence[str], device: torch.device, dtype: torch.dtype
    ) -> None:
        features = Features(kind="wave", sample_rate=int(extractor.sampling_rate), seconds=_seconds(extractor))
        super().__init__(model, features, labels, device, dtype)
        if self.device.type == "cpu" and self.dtype == torch.float32:
            quicken(self.model)
        self.extractor = extractor
        self._fixed = type(extractor).__name__ in _FIXED
        self._independent = model.config.problem_type == "multi_label_classification"

    @classmethod
    def load(cls, folder: Path | str, device: str = "auto", dtype: str = "float32") -> Self:
        """Open a folder of transformers. Pickled weights are read as tensors only, and code in it is never run.

        Raises:
            ModelError: it is no audio classifier, lacks its head, is damaged, or needs code of its own.
        """
        source = classifiers.open_classifier(Path(folder))
        return cls(source.model, source.extractor, source.labels, pick_device(device), pick_dtype(dtype))

    @torch.inference_mode()
    def _chances(self, sounds: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        order = range(len(sounds)) if self._fixed else sorted(range(len(sounds)), key=lambda n: len(sounds[n]))
        found = np.zeros((len(sounds), len(self.labels)), np.float32)
        for _, same in groupby(order, key=lambda n: 0 if self._fixed else len(sounds[n])):
            numbers = list(same)
            step = max(1, int(_TOGETHER * self.sample_rate / max(len(sounds[n]) for n in numbers)))
            for first in range(0, len(numbers), step):
                part = numbers[first : first + step]
                found[part] = self._heard_alike([sounds[n] for n in part])
        return found

    def _heard_alike(self, sounds: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Probabilities, (P, N), of sounds that the extractor brings to one length."""
        given = self.extractor(list(sounds), sampling_rate=self.sample_rate, return_tensors="pt")
        values = {
            name: value.to(self.device, self.dtype if value.is_floating_point() else value.dtype)
            for name, value in given.items()
        }
        if not self._fixed:
            values.pop("attention_mask", None)  # of one length: nothing to mask
        logits = self.model(**values).logits.float().cpu()
        chances: NDArray[np.float32] = (logits.sigmoid() if self._independent else logits.softmax(-1)).numpy()
        return chances


def _seconds(extractor: Any) -> float:
    """The longest sound that the network can hear at once."""
    name = type(extractor).__name__
    if name == "ASTFeatureExtractor":
        return float(extractor.max_length * 0.01)
    if name == "WhisperFeatureExtractor":
        return float(extractor.chunk_length)
    return _PIECE
