"""A trained semantic core, ready to bring clips and pictures into its space.

E size of the space.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from onsei.config import from_dict
from onsei.errors import ModelError
from onsei.hub import store, weights
from onsei.hub.store import ModelFolder
from onsei.nn.device import pick_device
from onsei.systems.translation.config.ground import Contrast, ImageNetwork, UnitNetwork
from onsei.systems.translation.ground.data import padded
from onsei.systems.translation.ground.encoder import FIRST
from onsei.systems.translation.ground.model import SemanticCore
from onsei.systems.translation.images import Seeing, rebuilt

STAGE = "ground"
_TOGETHER = 64


@dataclass(frozen=True)
class Core:
    """Networks and transform of a model folder."""

    folder: Path
    network: SemanticCore
    seeing: Seeing
    units: UnitNetwork
    image: ImageNetwork
    count: int
    """Number of units."""
    size: int
    """Of the space, E."""
    about: Mapping[str, Any]
    """What is known of the acoustic model that made the units it learned from."""
    device: torch.device

    @classmethod
    def load(cls, folder: Path | str, device: str = "auto") -> Self:
        """Open a model folder that ``ground`` wrote.

        Raises:
            ModelError: it is none, or damaged.
        """
        saved = store.open(_folder_of(folder), system="translation")
        return cls.of(saved, device)

    @classmethod
    def of(cls, saved: ModelFolder, device: str = "auto") -> Self:
        """As ``load``, of an open folder."""
        if saved.stage != STAGE:
            raise ModelError(
                f"{saved.path}: expected a semantic core, found a model of the stage {saved.stage}",
                "name the --output-dir of `onsei translation ground`",
            )
        values, source = saved.config, f"{saved.path}/{store.MODEL_FILE}"
        try:
            units = from_dict(UnitNetwork, values["units"], source)
            image = from_dict(ImageNetwork, values["image"], source)
            contrast = from_dict(Contrast, values["contrast"], source)
            count, size = int(values["num_clusters"]), int(values["embedding_dim"])
            seeing = rebuilt(image, size, values["seeing"])
        except (KeyError, TypeError) as error:
            raise ModelError(f"{source}: config lacks {error}", "copy the whole folder again") from None
        network = SemanticCore(count, size, units, contrast, seeing.network)
        saved.fill(network)
        at = pick_device(device)
        network.eval().to(at)
        return cls(saved.path, network, seeing, units, image, count, size, values.get("acoustic", {}), at)

    def speech(self, clips: Iterable[Sequence[int] | NDArray[np.int64]]) -> NDArray[np.float32]:
        """Vectors of clips, given as their units, (clips, E), of length 1."""
        made = [self._speech(part) for part in _parts(clips)]
        return np.concatenate(made) if made else np.zeros((0, self.size), np.float32)

    def pictures(self, paths: Iterable[Path]) -> NDArray[np.float32]:
        """Vectors of pictures, (pictures, E), of length 1.

        Raises:
            DataError: a picture cannot be read.
        """
        made = [self.see(torch.stack([self.seeing.transform.pixels(path) for path in part])) for part in _parts(paths)]
        return np.concatenate(made) if made else np.zeros((0, self.size), np.float32)

    @torch.inference_mode()
    def see(self, pixels: torch.Tensor) -> NDArray[np.float32]:
        """Vectors of pictures as the transform gives them, uint8 (B, 3, S, S)."""
        vectors: torch.Tensor = self.network.image(self.seeing.transform.normalized(pixels.to(self.device)))
        return vectors.float().cpu().numpy()

    @torch.inference_mode()
    def _speech(self, clips: Sequence[Sequence[int] | NDArray[np.int64]]) -> NDArray[np.float32]:
        rows, lengths = padded([torch.as_tensor(np.asarray(clip, dtype=np.int64)) + FIRST for clip in clips])
        return self.network.speech(rows.to(self.device), lengths).float().cpu().numpy()

    def fingerprint(self) -> str:
        """Hash of the weights' file: another training, another fingerprint."""
        return weights.fingerprint(self.folder / store.WEIGHTS_FILE)


def _parts(items: Iterable[Any]) -> Iterator[list[Any]]:
    stream = iter(items)
    while part := list(islice(stream, _TOGETHER)):
        yield part


def _folder_of(path: Path | str) -> Path | str:
    """The folder, also where a file in it is named, as the original's flags did (``semantic_core_model.pth``)."""
    here = Path(path)
    if here.suffix in (".pth", ".pt", ".safetensors") and (here.parent / store.MODEL_FILE).is_file():
        return here.parent
    return path
