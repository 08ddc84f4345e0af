"""A trained translator at work: units, or sound, become sentences.

B batch, U units, T states, L tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from onsei.config import from_dict
from onsei.errors import DataError, ModelError
from onsei.hub import store
from onsei.hub.store import ModelFolder
from onsei.nn.device import pick_device, pick_dtype, suited
from onsei.systems.translation.config.ground import Contrast, ImageNetwork, UnitNetwork
from onsei.systems.translation.ground.data import padded
from onsei.systems.translation.ground.encoder import FIRST, UnitEncoder
from onsei.systems.translation.ground.model import SemanticCore
from onsei.systems.translation.images import rebuilt
from onsei.systems.translation.stock import bart
from onsei.systems.translation.translator.learner import centered
from onsei.systems.translation.translator.model import Pivoted, Translator
from onsei.systems.translation.translator.saving import STAGE
from onsei.vision.images import Transform

_TOGETHER = 32


@dataclass(frozen=True)
class Sentence:
    """A translation, and the logarithm of its probability, per token."""

    text: str
    score: float


@dataclass(frozen=True)
class Written:
    """What was written of a clip."""

    sentences: tuple[Sentence, ...]
    """The likeliest ones, best first."""


@dataclass(frozen=True)
class Attention:
    """Where the decoder looked."""

    pieces: tuple[str, ...]
    """The tokens that it wrote."""
    weights: NDArray[np.float32]
    """Share of each state in each token, (L, T), mean over layers and heads."""
    places: NDArray[np.float32]
    """Share of the clip's units that lies before each state's middle, (T,)."""


class UnitTranslator:
    """Translates units.

    Args:
        model: the network.
        tokens: of its decoder.
        count: number of units.
        longest: most tokens of a sentence.
        config: what the model folder says.
        folder: where it lies.
        device: where it computes.
        dtype: its number format.
        transform: of the pictures that it can put into words; None where it learned from speech.
    """

    def __init__(
        self,
        model: nn.Module,
        tokens: bart.Tokens,
        count: int,
        longest: int,
        config: Mapping[str, Any],
        folder: Path,
        device: torch.device,
        dtype: torch.dtype,
        transform: Transform | None = None,
    ) -> None:
        self.transform = transform
        self.model, self.dtype = suited(model, device, dtype)
        self.tokens, self.count, self.longest = tokens, count, longest
        self.config, self.folder, self.device = config, folder, device

    @classmethod
    def load(cls, folder: Path | str, device: str = "auto", dtype: str = "float32") -> Self:
        """Open a model folder that ``train`` wrote.

        Raises:
            ModelError: it is none, or damaged.
        """
        return cls.of(store.open(folder, system="translation"), device, dtype)

    @classmethod
    def of(cls, saved: ModelFolder, device: str = "auto", dtype: str = "float32") -> Self:
        """As ``load``, of an open folder."""
        if saved.stage != STAGE:
            raise ModelError(
                f"{saved.path}: expected a translator, found a model of the stage {saved.stage}",
                "name the --output-dir of `onsei translation train`",
            )
        try:
            found = bart.rebuilt(saved.config["decoder"], saved.path)
            model, transform = _network(saved, found)
            count, longest = int(saved.config["num_clusters"]), int(saved.config["longest"])
        except (KeyError, TypeError) as error:
            raise ModelError(
                f"{saved.path}/{store.MODEL_FILE}: config lacks {error}", "copy the whole folder again"
            ) from None
        bart.fill(model, saved.weights(), saved.path)
        at = pick_device(device)
        return cls(model, found.tokens, count, longest, saved.config, saved.path, at, pick_dtype(dtype), transform)

    def __call__(self, clips: Sequence[NDArray[np.int64]], *, beams: int = 4, n_best: int = 1) -> list[Written]:
        """Translate clips, given as their units, each as it would be alone.

        Raises:
            DataError: a clip without units, or with one that the model does not know.
        """
        answers: dict[int, Written] = {}
        order = sorted(range(len(clips)), key=lambda n: len(clips[n]))
        for first in range(0, len(order), _TOGETHER):
            part = order[first : first + _TOGETHER]
            states, mask = self.read([clips[n] for n in part])
            width = max(beams, n_best)
            numbers, chances = bart.written(
                self._decoder(), states, mask, beams=width, count=n_best, longest=self.longest
            )
            texts = self.tokens.decode(numbers)
            for place, number in enumerate(part):
                rows = range(place * n_best, (place + 1) * n_best)
                answers[number] = Written(tuple(Sentence(texts[n], round(float(chances[n]), 5)) for n in rows))
        return [answers[n] for n in range(len(clips))]

    @torch.inference_mode()
    def read(self, clips: Sequence[NDArray[np.int64]]) -> tuple[Tensor, Tensor]:
        """States of clips, (B, T, width of the decoder), and where they are, (B, T)."""
        for number, clip in enumerate(clips):
            if not len(clip) or clip.max() >= self.count or clip.min() < 0:
                found = "no units" if not len(clip) else f"units up to {clip.max()}, the model has {self.count}"
                raise DataError(f"clip {number}: {found}", "encode it with the model's own acoustic model")
        rows, lengths = padded([torch.from_numpy(np.asarray(clip, dtype=np.int64)) + FIRST for clip in clips])
        rows = rows.to(self.device)
        if isinstance(self.model, Translator):
            states, mask = self.model.read(rows, lengths)
        else:
            core, pivot = self._pivot()
            states, mask = pivot.read(centered(core.speech(rows, lengths), core.speech_mean))
        return states, mask

    @torch.inference_mode()
    def described(self, pixels: Tensor, *, beams: int = 1) -> list[str]:
        """What pictures show, in words; of a translator that learned from captions.

        Args:
            pixels: as its ``transform`` gives them, uint8 (B, 3, S, S).
            beams: as of a call.
        """
        assert self.transform is not None
        core, pivot = self._pivot()
        vectors = core.image(self.transform.normalized(pixels.to(self.device)).to(self.dtype))
        states, mask = pivot.read(centered(vectors, core.image_mean))
        numbers, _ = bart.written(pivot.decoder, states, mask, beams=beams, count=1, longest=self.longest)
        return self.tokens.decode(numbers)

    @torch.inference_mode()
    def zeroed(self, clips: Sequence[NDArray[np.int64]]) -> list[str]:
        """What the decoder writes that is shown nothing: states of zero in the clips' number and length."""
        texts: list[str] = []
        for first in range(0, len(clips), _TOGETHER):
            states, mask = self.read(clips[first : first + _TOGETHER])
            numbers, _ = bart.written(
                self._decoder(), torch.zeros_like(states), mask, beams=1, count=1, longest=self.longest
            )
            texts += self.tokens.decode(numbers)
        return texts

    @torch.inference_mode()
    def attention(self, clip: NDArray[np.int64]) -> Attention:
        """Where the decoder looks while it writes the likeliest sentence token by token."""
        states, mask = self.read([clip])
        numbers, _ = bart.written(self._decoder(), states, mask, beams=1, count=1, longest=self.longest)
        weights = bart.cross_attention(self._decoder(), states, mask, numbers)
        kept = [n for n, number in enumerate(numbers[0, 1:].tolist()) if number not in self.tokens.special]
        pieces = self.tokens.pieces([int(numbers[0, 1 + n]) for n in kept])
        places = ((np.arange(states.shape[1]) + 0.5) / states.shape[1]).astype(np.float32)
        return Attention(tuple(pieces), weights[kept], places)

    def _decoder(self) -> Any:
        return self.model.decoder if isinstance(self.model, Translator) else self._pivot()[1].decoder

    def _pivot(self) -> tuple[SemanticCore, Pivoted]:
        assert isinstance(self.model, nn.ModuleDict)
        core, pivot = self.model["core"], self.model["pivot"]
        assert isinstance(core, SemanticCore)
        assert isinstance(pivot, Pivoted)
        return core, pivot


def _network(saved: ModelFolder, found: bart.Found) -> tuple[nn.Module, Transform | None]:
    values, source = saved.config, f"{saved.path}/{store.MODEL_FILE}"
    units, count = from_dict(UnitNetwork, values["units"], source), int(values["num_clusters"])
    width = bart.width(found.model)
    if values["source"] == "units":
        return Translator(UnitEncoder(count, units), found.model, width), None
    image, about = from_dict(ImageNetwork, values["image"], source), values["core"]
    size = int(about["embedding_dim"])
    seeing = rebuilt(image, size, about["seeing"])
    core = SemanticCore(count, size, units, from_dict(Contrast, about["contrast"], source), seeing.network)
    pivot = Pivoted(size, int(values["pivot"]["states"]), found.model, width)
    return nn.ModuleDict({"pivot": pivot, "core": core}), seeing.transform
