"""The Articulator: a trained mel generator that reads mels off films.

T frames, H height, W width, F mel frames, M mel bands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from onsei.config import from_dict
from onsei.hub import store
from onsei.nn.device import pick_device, pick_dtype, suited
from onsei.systems.articulation.config import Mel, Request
from onsei.systems.articulation.config.saved import Saved
from onsei.systems.articulation.data.batches import as_bytes, shrunk
from onsei.systems.articulation.data.films import open_frames
from onsei.systems.articulation.data.prepared import Prepared, Scaler
from onsei.systems.articulation.model import MelGenerator
from onsei.vocoder.definition import MelDefinition

_DIGITS = 6


class Articulator:
    """A trained mel generator.

    Args:
        model: the network.
        prepared: how films become pictures, and what its mels are.
        scaler: of its mels.
        device: where it computes.
        dtype: its number format.
    """

    def __init__(
        self, model: MelGenerator, prepared: Prepared, scaler: Scaler, device: torch.device, dtype: torch.dtype
    ) -> None:
        _, self.dtype = suited(model, device, dtype)
        self.model, self.prepared, self.scaler, self.device = model, prepared, scaler, device

    @classmethod
    def load(cls, folder: Path | str, device: str = "auto", dtype: str = "float32") -> Self:
        """Open a model folder. See ``system.Runner``."""
        saved = store.open(folder, system="articulation")
        found = from_dict(Saved, saved.config, source=f"{folder}/onsei.json")
        options, prepared, scaler = found.model, found.prepared, found.scaler
        model = MelGenerator(options, prepared.mel.n_mels, prepared.subframes)
        saved.fill(model)
        return cls(model, prepared, scaler, pick_device(device), pick_dtype(dtype))

    @property
    def mel(self) -> MelDefinition:
        """What its mels are."""
        return self.prepared.mel

    def __call__(self, request: Request) -> Mel:
        """Read the mel off one film."""
        mel = self.predict(self.frames(request.video, request.frame_rate))
        rows = tuple(tuple(row) for row in np.round(mel.T.astype(np.float64), _DIGITS).tolist())
        return Mel(self.mel.sample_rate, self.mel.hop, self.mel.seconds(len(rows)), rows)

    def batch(self, requests: Sequence[Request]) -> list[Mel]:
        """Read many, one after the other: films of unlike length share no padding."""
        return [self(request) for request in requests]

    def stream(self, request: Request) -> Iterator[Mel]:
        """The whole at once: the recurrent layer reads films from both ends."""
        yield self(request)

    def frames(self, path: Path, frame_rate: float | None = None, *, retime: bool = False) -> NDArray[np.float32]:
        """Pictures of a film as the network sees them, in 0..1: float32 (T, H, W).

        Raises:
            AudioError, DataError: see ``films.open_frames``.
        """
        seen = shrunk(open_frames(path, self.prepared, frame_rate, retime=retime), self.model.options.size)
        return as_bytes(seen).astype(np.float32) / np.float32(255)

    def predict(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Pictures (T, H, W) → log-mel in dB, float32 (M, F), F = T · subframes; not below the definition's floor."""
        pictures = torch.from_numpy(np.ascontiguousarray(frames))[:, None].to(self.device, self.dtype)
        found = self.model.spoken(pictures).float().cpu().numpy()
        mel = self.scaler.restored(found).T
        return np.maximum(np.ascontiguousarray(mel), np.float32(20 * np.log10(self.mel.floor)))
