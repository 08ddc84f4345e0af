"""The sounds of a folder that augmentation takes noise or rooms from, checked before training begins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onsei.audio import io
from onsei.errors import AudioError, DataError

SILENT = 1e-6
"""What is never louder than this is silence: a hundredth of the smallest step of 16 bits."""
_PIECE = 10.0


@dataclass(frozen=True)
class Sounding:
    """A file that can be read and is not silent."""

    path: Path
    seconds: float


def survey(folder: Path, purpose: str) -> tuple[tuple[Sounding, ...], tuple[str, ...]]:
    """The usable sounds in ``folder`` (or the one file that it is) and all folders below, and why others are left out.

    Headers are read, and of each file as much as it takes to hear something.

    Raises:
        DataError: no such folder, or nothing usable in it. Begins with ``purpose``, such as ``noise_dir``.
    """
    if not folder.exists():
        raise DataError(f"{purpose} {folder}: no such folder", "give a folder of sound files")
    found = sorted(folder.rglob("*")) if folder.is_dir() else [folder]
    paths = [path for path in found if path == folder or (path.suffix.lower() in io.SUFFIXES and path.is_file())]
    usable, faults = [], []
    for path in paths:
        try:
            header = io.info(path)
            if _sounds(header):
                usable.append(Sounding(path, header.duration))
            else:
                faults.append(f"{path}: silent")
        except AudioError as error:
            faults.append(error.message)
    if usable:
        return tuple(usable), tuple(faults)
    if not paths:
        kinds = " ".join(sorted(s[1:] for s in io.SUFFIXES))
        raise DataError(f"{purpose} {folder}: no sound files", f"expected files of these kinds: {kinds}")
    raise DataError(
        f"{purpose} {folder}: none of its {len(paths)} sound files can be used; {faults[0]}", "give sounds to be heard"
    )


def told(purpose: str, folder: Path, faults: tuple[str, ...], shown: int = 5) -> str:
    """One paragraph on the files that are left out; empty where there are none."""
    if not faults:
        return ""
    more = f"\n  … and {len(faults) - shown} more" if len(faults) > shown else ""
    listed = "".join(f"\n  {fault}" for fault in faults[:shown])
    return f"{purpose} {folder}: {len(faults)} files left out{listed}{more}"


def _sounds(header: io.AudioInfo) -> bool:
    offset = 0.0
    while offset < header.duration:
        piece = min(_PIECE, header.duration - offset)
        last = offset + piece >= header.duration
        samples, _ = io.load(header.path, offset=offset, duration=None if last else piece)
        if float(np.abs(samples).max()) > SILENT:
            return True
        offset += piece
    return False
