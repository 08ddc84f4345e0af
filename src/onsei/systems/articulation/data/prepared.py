"""What `prepare` leaves beside the manifests: the mel definition, the clock of films, and the scaler.

T frames, H height, W width, M mel bands, F mel frames.
"""

from __future__ import annotations

import json
import zipfile
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onsei.config import from_dict
from onsei.data.row import Row
from onsei.errors import DataError
from onsei.systems.articulation.config.saved import Prepared, Scaler

__all__ = ["Prepared", "Scaler", "load_array", "load_frames", "load_mel", "read_prepared", "read_scaler", "video_of"]

META, SCALER = "meta.json", "scaler.json"
_LARGEST = 2**24


def read_prepared(manifest: Path) -> Prepared:
    """What `meta.json` beside ``manifest`` says.

    Raises:
        DataError: it is missing or damaged.
    """
    path = manifest.parent / META
    if not path.is_file():
        raise DataError(
            f"{manifest}: no {META} beside it, which tells what its mels are",
            "make clips by `onsei articulation prepare`",
        )
    values = _json(path)
    known = {name: values[name] for name in Prepared.__dataclass_fields__ if name in values}
    return from_dict(Prepared, known, str(path))


def read_scaler(path: Path) -> Scaler:
    """A stored scaler: ``mean`` and ``std`` of all bands.

    Raises:
        DataError: it is missing, damaged, or not of whole mels.
    """
    values = _json(path)
    numbers = [values.get(name) for name in ("mean", "std")]
    if (
        not all(isinstance(x, int | float) and not isinstance(x, bool) and isfinite(x) for x in numbers)
        or not numbers[1]
    ):
        raise DataError(
            f"{path}: expected the numbers `mean` and `std`, found {numbers[0]!r:.40} and {numbers[1]!r:.40}",
            "take the scaler.json that `prepare` wrote",
        )
    mean, std = (float(x) for x in numbers if x is not None)
    if std < 0:
        raise DataError(f"{path}: std: expected above 0, found {std:g}", "take the scaler.json that `prepare` wrote")
    return Scaler(mean, std, str(values.get("prepared", "")))


def load_frames(path: Path, start: int = 0, count: int | None = None) -> NDArray[np.float32]:
    """Stored pictures in 0..1: float32 (T, H, W), of those from ``start`` on.

    Raises:
        DataError: no such file, or no pictures.
    """
    array = load_array(path, "pictures (frames, height, width)", 3)
    part = array[start : None if count is None else start + count]
    if not len(part):
        raise DataError(f"{path}: {len(array)} frames, none from frame {start} on", "prepare the clips again")
    if array.dtype == np.uint8:
        return part.astype(np.float32) / np.float32(255)
    return part.astype(np.float32)


def load_mel(reference: str | Path, bands: int) -> NDArray[np.float32]:
    """A stored log-mel, float32 (M, F).

    Raises:
        DataError: no such file, other bands, or values that are not finite.
    """
    mel = np.asarray(load_array(Path(reference), "a log-mel (bands, frames)", 2), np.float32)
    if mel.shape[0] != bands:
        raise DataError(f"{reference}: expected {bands} bands, found shape {mel.shape}", "prepare the clips again")
    if not np.isfinite(mel).all():
        raise DataError(f"{reference}: values that are NaN or infinite", "prepare the clips again")
    return mel


def load_array(path: Path, what: str, axes: int) -> NDArray[Any]:
    """A memory-mapped array of numbers with so many axes."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file", "check the path, or prepare the clips again") from None
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read as {what} ({error})", "prepare the clips again") from None
    if not isinstance(array, np.ndarray) or array.ndim != axes or array.dtype.kind not in "fu":
        shape = getattr(array, "shape", "an archive")
        raise DataError(f"{path}: expected {what}, found {shape}", "prepare the clips again")
    return array


def video_of(row: Row) -> Path:
    """The stored pictures of a row.

    Raises:
        DataError: it has none, or a film in their place.
    """
    if row.video is None:
        raise DataError(f"{row.id}: the row has no video", "make clips by `onsei articulation prepare`")
    if row.video.suffix.lower() != ".npy":
        raise DataError(
            f"{row.id}: {row.video.name}: a film, where stored pictures (mri.npy) are expected",
            "make clips by `onsei articulation prepare`",
        )
    return row.video


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST:
            raise DataError(f"{path}: larger than {_LARGEST >> 20} MiB", "take the file that `prepare` wrote")
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file", "name the one that `onsei articulation prepare` wrote") from None
    except (ValueError, OSError, RecursionError) as error:
        raise DataError(f"{path}: not valid JSON ({error})", "prepare the clips again") from None
    if not isinstance(values, dict):
        raise DataError(f"{path}: expected a JSON object", "prepare the clips again")
    return values
