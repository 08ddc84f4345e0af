"""Stored mels: what their headers say, and the arrays themselves.

M mel bands, F frames.
"""

from __future__ import annotations

import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onsei.data.row import split_reference
from onsei.errors import DataError
from onsei.vocoder.definition import MelDefinition

SUFFIXES = (".npy", ".npz")
Mel = NDArray[np.float32]


@dataclass(frozen=True)
class Shape:
    """What the header of a stored mel says."""

    bands: int
    frames: int


def shape_of(reference: str | Path, definition: MelDefinition) -> Shape:
    """Bands and frames of a stored mel, by its header alone where that is possible.

    Raises:
        DataError: as for ``load_mel``, but for values, which are not looked at.
    """
    path = Path(reference)
    if path.suffix.lower() == ".npy":
        with suppress(ValueError, OSError, EOFError):
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            return Shape(*_checked(array, str(reference), definition).shape)
    return Shape(*_read(reference, definition).shape)


def load_mel(reference: str | Path, definition: MelDefinition) -> Mel:
    """Read a mel of ``definition``: ``file.npy``, ``file.npz`` with one array, or ``file.npz#key``.

    Returns:
        float32 (M, F); an axis of length 1 before it, as batches have, is taken off.

    Raises:
        DataError: the file is missing or damaged, holds Python objects (never loaded), another number of bands, frames
            first, no frame, or values that are not finite.
    """
    mel = np.array(_read(reference, definition), dtype=np.float32)
    bad = int((~np.isfinite(mel)).sum())
    if bad:
        raise DataError(f"{reference}: {bad} of {mel.size} values are NaN or infinite", "compute this mel again")
    return mel


def named(folder: Path, stem: str) -> Path:
    """Where the mel called ``stem`` lies in ``folder``: .npy, or .npz where only that is there."""
    npz = folder / f"{stem}.npz"
    npy = folder / f"{stem}.npy"
    return npz if not npy.exists() and npz.exists() else npy


def _read(reference: str | Path, definition: MelDefinition) -> NDArray[Any]:
    name, key = split_reference(str(reference))
    path = Path(name)
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{path}: expected a mel as .npy or .npz, found {path.suffix or 'no extension'}", "convert it")
    try:
        opened = np.load(path, allow_pickle=False)
        if path.suffix.lower() == ".npz":
            with opened:
                names = [key] if key is not None else list(opened)
                if len(names) != 1:
                    raise DataError(f"{path}: holds {len(names)} arrays: {', '.join(names)}", f"name one: {path}#KEY")
                if names[0] not in opened:
                    raise DataError(f"{path}: holds no array {names[0]!r}, but {', '.join(opened)}", "mend the key")
                opened = opened[names[0]]
    except FileNotFoundError:
        raise DataError(f"{path}: no such file", "check the path") from None
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read as a mel ({error})", "compute it again") from None
    return _checked(opened, str(reference), definition)


def _checked(array: NDArray[Any], name: str, definition: MelDefinition) -> NDArray[Any]:
    bands = definition.n_mels
    if array.ndim == 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 2 or array.dtype.kind != "f":
        raise DataError(
            f"{name}: expected floating-point numbers of shape ({bands}, frames), found {array.dtype} {array.shape}",
            "store one mel a file",
        )
    if array.shape[0] != bands:
        turned = array.shape[1] == bands
        raise DataError(
            f"{name}: expected {bands} bands, found shape {array.shape}",
            "turn it round (numpy: mel.T): bands come first" if turned else f"compute it with {bands} bands",
        )
    if not array.shape[1]:
        raise DataError(f"{name}: a mel without frames", "leave it out")
    return array
