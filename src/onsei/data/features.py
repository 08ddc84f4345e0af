"""Features that were computed elsewhere: arrays in .npy, .npz and .safetensors files."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from onsei.data.row import split_reference
from onsei.errors import DataError, ModelError

_OPEN_FILES = 8
Layout = Literal["frames dims", "dims frames"]


def load_features(
    reference: str, *, dims: int | None = None, layout: Layout = "frames dims"
) -> npt.NDArray[np.float32]:
    """Read the array that a row's ``features`` names.

    Args:
        reference: ``file.npy``, ``file.npz#key`` or ``file.safetensors#key``.
        dims: how many values a frame must have; None takes any number.
        layout: axes of the array in the file. Toolkits store time first (Kaldi, Sphinx, HTK), which is the default.

    Returns:
        float32 (dims, frames), the axes of ``audio.features``, contiguous and its own memory.

    Raises:
        DataError: the file is missing, damaged, of another type or holds Python objects (never loaded); the key is
            missing; the array is not two-dimensional, has no frames, another number of dims, or NaN or infinite values.
    """
    name, key = split_reference(reference)
    path = Path(name)
    array = _read(path, key)
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        expected = f"expected numbers of shape ({layout.replace(' ', ', ')})"
        raise DataError(f"{reference}: {expected}, found {array.dtype} {array.shape}", "store one array a row")
    turned = array if layout == "dims frames" else array.T
    if not turned.size or (dims is not None and turned.shape[0] != dims):
        expected = "at least one frame" if dims is None else f"{dims} dims and at least one frame"
        raise DataError(
            f"{reference}: expected {expected} in ({layout.replace(' ', ', ')}), found shape {array.shape}",
            "state the layout and the dims of the stored features, or leave the row out",
        )
    features = np.array(turned, dtype=np.float32, order="C")
    if not np.isfinite(features).all():
        raise DataError(f"{reference}: NaN or infinite values", "compute these features again, or leave the row out")
    return features


def _read(path: Path, key: str | None) -> npt.NDArray[Any]:
    suffix = path.suffix.lower()
    if suffix not in (".npy", ".npz", ".safetensors"):
        raise DataError(f"{path}: expected .npy, .npz or .safetensors, found {suffix or 'no extension'}", "convert it")
    if (key is None) != (suffix == ".npy"):
        raise DataError(f"{path}: a {suffix} file is named {'without' if key else 'with'} #key", "mend the manifest")
    try:
        status = path.stat()
        if key is None:
            return np.asarray(np.load(path, allow_pickle=False))
        return np.asarray(_arrays(path, (status.st_size, status.st_mtime_ns, os.getpid()))[key])
    except FileNotFoundError:
        raise DataError(f"{path}: no such file", "check the path in the manifest") from None
    except KeyError:
        raise DataError(f"{path}: holds no array {key!r}", "check the key after # in the manifest") from None
    except (ValueError, EOFError, OSError, zlib.error, zipfile.BadZipFile, ModelError) as error:
        reason = error.message if isinstance(error, ModelError) else f"{type(error).__name__}: {error}"
        raise DataError(f"{path}: cannot be read as {suffix[1:]} ({reason})", "copy or compute it again") from None


@lru_cache(_OPEN_FILES)
def _arrays(path: Path, version: tuple[int, ...]) -> Mapping[str, npt.NDArray[Any]]:
    """The arrays of a file, which stays open: reading the directory of a large .npz costs more than one array.

    A .safetensors file is held whole. ``version`` holds the process: two that share an open file lose their place.
    """
    if path.suffix.lower() == ".npz":
        opened: Mapping[str, npt.NDArray[Any]] = np.load(path, allow_pickle=False)
        return opened
    from onsei.hub import weights  # imports torch

    return {name: tensor.float().numpy() for name, tensor in weights.load(path).items()}
