"""Computed features kept on disk, so that the second epoch reads what the first one made."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from onsei.data.row import Row
from onsei.errors import DataError

Array = npt.NDArray[Any]

_SUM = 4  # bytes of CRC-32 behind the array; numpy's readers do not look there


class FeatureCache:
    """A folder of arrays by the file they were made from and how they were made. Any number of processes may share it.

    Args:
        folder: where the arrays are kept; made when the first one is written.
        key: everything beside the row that the arrays depend on, e.g. ``config.to_dict(features)``, as JSON values.
    """

    def __init__(self, folder: Path | str, key: Mapping[str, Any] | str) -> None:
        self.folder = Path(os.path.abspath(folder))
        self._key = json.dumps(key, sort_keys=True, ensure_ascii=False)

    def get(self, row: Row, make: Callable[[], Array]) -> Array:
        """The array of ``row``, read-only and memory-mapped; made and kept where there is none or a damaged one.

        An array belongs to the row's file by path, size and time of change, and to offset, duration and channel.

        Raises:
            DataError: the row names no file, or the file is missing.
            OSError: no room or no right to write; the loader ends the run, as no row is at fault.
        """
        path = self.path(row)
        kept = _read(path)
        if kept is None:
            _write(path, np.ascontiguousarray(make()))
            kept = _read(path)
        if kept is None:
            raise OSError(f"{path}: cannot be read back after writing")
        return kept

    def path(self, row: Row) -> Path:
        """Where the array of ``row`` is or will be. Errors as in ``get``."""
        source = row.source
        if source is None:
            raise DataError(f"row {row.id}: names no file to compute features from", "give the row an `audio`")
        try:
            status = source.stat()
        except OSError as error:
            raise DataError(f"{source}: {error.strerror}", "check the path in the manifest") from None
        file = [os.path.abspath(source), status.st_size, status.st_mtime_ns]
        words = json.dumps([*file, row.features, row.offset, row.duration, row.channel, self._key])
        name = hashlib.blake2b(words.encode(), digest_size=20).hexdigest()
        return self.folder / name[:2] / f"{name[2:]}.npy"

    def size(self) -> int:
        """Bytes of all arrays kept, of other keys too."""
        return sum(path.stat().st_size for path in self.folder.glob("??/*.npy"))


def _read(path: Path) -> Array | None:
    try:
        array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        with path.open("rb") as file:
            file.seek(-_SUM, os.SEEK_END)
            stored = file.read()
    except (OSError, ValueError, EOFError):
        return None
    return array if stored == _checksum(array) else None


def _write(path: Path, array: Array) -> None:
    if array.dtype.hasobject:
        raise TypeError(f"expected an array of numbers, found {array.dtype}")
    # Renamed but not fsynced, which would cost more than computing: what a power cut leaves fails its checksum.
    aside = path.with_name(f".{uuid.uuid4().hex}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with aside.open("wb") as file:
            np.save(file, array, allow_pickle=False)
            file.write(_checksum(array))
        _replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def _replace(aside: Path, path: Path) -> None:
    try:
        aside.replace(path)
    except PermissionError:
        # Windows refuses while another process maps the file: then that process has written the same array already.
        if _read(path) is None:
            raise


def _checksum(array: Array) -> bytes:
    return zlib.crc32(array.reshape(-1).view(np.uint8).data).to_bytes(_SUM, "little")
