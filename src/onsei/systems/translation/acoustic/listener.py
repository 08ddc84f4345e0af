"""A trained model, ready to hear units: any length of sound, in windows.

T samples, F frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from onsei.audio import io
from onsei.config import from_dict
from onsei.errors import ModelError
from onsei.hub import store, weights
from onsei.hub.store import WEIGHTS_FILE, ModelFolder
from onsei.nn.device import pick_device
from onsei.nn.frames import Frames
from onsei.systems.translation.acoustic.features import restored
from onsei.systems.translation.acoustic.model import UnitModel, codebook
from onsei.systems.translation.config.units import Features, Units
from onsei.systems.translation.pretrain.build import rebuilt
from onsei.systems.translation.pretrain.learner import standardized
from onsei.units.encoder import SpeechEncoder
from onsei.units.melfront import MelEncoder
from onsei.units.pretraining import ContrastiveModel
from onsei.units.quantizer import VectorQuantizer
from onsei.units.spectral import RATE

Hear = Callable[[Tensor, Tensor], list[Tensor]]
"""Sounds (B, T) and their lengths (B,) → the unit of each frame of each."""
WINDOW_SECONDS, AROUND_SECONDS = 20.0, 1.0
"""What is heard at once of long sounds, and what of it on each side only lends context."""


class Listener:
    """Hears units.

    Args:
        hear: the network.
        frames: how samples become its frames.
        count: how many units there are.
        fingerprint: of its weights.
        device: where it computes.
        model: the network that ``hear`` belongs to; None for stages without a quantizer of units.
    """

    def __init__(
        self,
        hear: Hear,
        frames: Frames,
        count: int,
        fingerprint: str,
        device: torch.device,
        model: UnitModel | None = None,
    ) -> None:
        self._hear, self.frames, self.count = hear, frames, count
        self.fingerprint, self.device, self.model = fingerprint, device, model

    @classmethod
    def load(cls, folder: Path | str, device: str = "auto") -> Self:
        """Open a model folder of `fit-units` or `pretrain`.

        Raises:
            ModelError: it is none.
        """
        return cls.of(store.open(folder, system="translation"), device)

    @classmethod
    def of(cls, saved: ModelFolder, device: str = "auto") -> Self:
        """As ``load``, of an open folder."""
        place, mark = pick_device(device), weights.fingerprint(saved.path / WEIGHTS_FILE)
        if saved.stage == "pretrain":
            hear, frames, count = _pretrained(saved, place)
            return cls(hear, frames, count, mark, place)
        if saved.stage != "fit-units":
            raise ModelError(
                f"{saved.path}: expected a unit model, found one of the stage {saved.stage}",
                "name the --output-dir of `onsei translation fit-units`",
            )
        model = restored_model(saved).to(place)
        return cls(model.units, model.acoustic.frames, model.quantizer.codes, mark, place, model)

    @property
    def frame_seconds(self) -> float:
        """Time from frame to frame."""
        return self.frames.stride / RATE

    @torch.inference_mode()
    def batch(self, sounds: Sequence[NDArray[np.float32]]) -> list[NDArray[np.int64]]:
        """The unit of each frame of sounds, (T,) each at 16 kHz; none may be longer than a window."""
        lengths = torch.tensor([len(sound) for sound in sounds])
        samples = torch.zeros(len(sounds), int(lengths.max()))
        for row, sound in zip(samples, sounds, strict=True):
            row[: len(sound)] = torch.from_numpy(sound)
        return [units.numpy() for units in self._hear(samples.to(self.device), lengths)]

    def units(self, path: Path | str, **segment: Any) -> tuple[NDArray[np.int64], float]:
        """The unit of each frame of a sound file, (F,), and its seconds; windows of long files are heard one by one.

        Args:
            path: the file.
            segment: ``offset``, ``duration`` and ``channel``, as for ``audio.io.load``.

        Raises:
            AudioError: it cannot be read.
        """
        found, total = [], 0
        for window, first, last, samples in windows(io.blocks(path, RATE, **segment), self.frames):
            found.append(self.batch([window])[0][first:last])
            total += samples
        return np.concatenate(found), total / RATE


def windows(
    blocks: Iterator[NDArray[np.float32]], frames: Frames
) -> Iterator[tuple[NDArray[np.float32], int, int | None, int]]:
    """Cuts sound that comes in blocks into windows whose own frames, put together, are those of the whole.

    Yields:
        samples of a window, its own frames ``first:last``, and how many samples it adds.
    """
    stride = frames.stride
    size, around = round(WINDOW_SECONDS * RATE / stride), round(AROUND_SECONDS * RATE / stride)
    step = size - 2 * around
    held = np.zeros(0, np.float32)
    before = 0
    for block in blocks:
        held = np.concatenate([held, block])
        while len(held) > (size + step) * stride:  # else the rest would be shorter than a window
            own = before + step if before else size - around
            yield held[: size * stride + frames.smallest - stride], before, own, (own - before) * stride
            held, before = held[(own - around) * stride :], around
    yield held, before, None, len(held) - before * stride


def restored_model(saved: ModelFolder) -> UnitModel:
    """The network of a model folder of `fit-units`, with its weights."""
    source = f"{saved.path}/onsei.json"
    try:
        features = from_dict(Features, saved.config["features"], source)
        units = from_dict(Units, saved.config["units"], source)
    except KeyError as error:
        raise ModelError(f"{source}: config lacks {error}", "copy the whole folder again") from None
    acoustic = restored(saved, features)
    model = UnitModel(acoustic, VectorQuantizer(acoustic.dim, codebook(units)))
    saved.fill(model)
    return model.eval()


def _pretrained(saved: ModelFolder, device: torch.device) -> tuple[Hear, Frames, int]:
    """A network of `pretrain` hears with its own codevectors or guesses."""
    built, plan = rebuilt(saved)
    model: Any = built
    model.to(device)
    body = model.wav2vec2 if isinstance(model, ContrastiveModel) else model.body
    encoder = MelEncoder(body) if plan.mel else SpeechEncoder(body)
    encoder.eval()

    def hear(samples: Tensor, lengths: Tensor) -> list[Tensor]:
        if plan.standardize:
            samples = torch.stack(
                [
                    torch.nn.functional.pad(standardized(row[None, :n])[0], (0, len(row) - n))
                    for row, n in zip(samples, lengths.tolist(), strict=True)
                ]
            )
        if isinstance(model, ContrastiveModel):
            front = encoder._front(samples, lengths.clamp(min=plan.frames.smallest)).transpose(1, 2)
            found = model.units(body.feature_projection(front)[1])
            frames = plan.frames.counts(lengths)
        else:
            hidden, frames = encoder.hidden(samples, lengths)
            found = model.head(hidden).argmax(-1)
        return [row[:n] for row, n in zip(found.cpu(), frames.tolist(), strict=True)]

    if isinstance(model, ContrastiveModel):
        return hear, plan.frames, plan.config.num_codevectors_per_group**plan.config.num_codevector_groups
    return hear, plan.frames, len(model.centroids)
