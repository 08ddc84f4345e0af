"""Sketch tokens on disk: one safetensors file a row, named by what it was made of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from onsei.data.digest import sound_digest
from onsei.data.row import Row, resolve_path
from onsei.errors import DataError, ModelError
from onsei.hub import weights
from onsei.systems.song.sketch.codebook import check_same
from onsei.systems.song.sketch.frames import FRAME_RATE

SKETCH = "sketch_path"
"""Key of rows: the tokens' file, relative to the manifest."""


@dataclass(frozen=True)
class Tokens:
    """The sketch of a row."""

    values: NDArray[np.int32]
    """One a frame, shape (F,); nothing is padded, the length is the row's."""
    codebook: str
    """Fingerprint of the codebook."""
    sound: str
    """Digest of the samples that it was made of."""
    offset: float = 0.0
    """Seconds into the file where the row begins."""

    def cut(self, first: int, frames: int) -> Tokens:
        """Tokens of ``frames`` frames from ``first`` on, fewer where the row ends before."""
        return Tokens(self.values[first : first + frames], self.codebook, self.sound, self.offset + first / FRAME_RATE)

    def save(self, path: Path) -> None:
        """Write a safetensors file."""
        about = {"codebook": self.codebook, "sound": self.sound, "offset": repr(self.offset)}
        about |= {"frames": str(len(self.values)), "frame_rate": str(FRAME_RATE)}
        weights.save(path, {"tokens": torch.from_numpy(self.values)}, about)

    @classmethod
    def load(cls, path: Path, codebook: str = "") -> Tokens:
        """Read what ``save`` wrote; of the codebook with this fingerprint, where one is given.

        Raises:
            ModelError: another codebook, or no such file.
        """
        about = weights.metadata(path)
        try:
            found = cls(weights.load(path)["tokens"].numpy(), about["codebook"], about["sound"], float(about["offset"]))
            whole = len(found.values) == int(about["frames"])
        except (KeyError, ValueError) as error:
            raise ModelError(f"{path}: no sketch tokens ({error})", "make them again: `onsei song sketch`") from None
        if not whole:
            raise ModelError(f"{path}: fewer tokens than it says", "make them again: `onsei song sketch`")
        if codebook:
            check_same(codebook, found.codebook, str(path))
        return found


def of_row(row: Row, folder: Path, codebook: str) -> Tokens:
    """The tokens that a row of a manifest in ``folder`` names.

    Raises:
        DataError: it names none.
        ModelError: they cannot be read, or are of another codebook.
    """
    named = row.extra.get(SKETCH)
    if not isinstance(named, str):
        raise DataError(f"row {row.id}: has no {SKETCH}", "make it: `onsei song sketch CODEBOOK MANIFEST`")
    return Tokens.load(resolve_path(named, folder), codebook)


def content_of(row: Row) -> str:
    """16 hexadecimal digits of a hash of the samples of ``row``. Errors as of ``data.digest.sound_digest``."""
    return f"{sound_digest(row)[0]:016x}"


def name_of(content: str, codebook: str, frames: int) -> str:
    """File name of the tokens of a sound: the same sound, codebook and length have the same name."""
    words = json.dumps([content, codebook, frames])
    return blake2b(words.encode(), digest_size=12).hexdigest() + weights.SUFFIX
