"""Stored windows: pictures and mels of a fixed number of frames, as archives and as memory-mapped arrays.

N windows, W frames of each, H height, F mel frames, M mel bands.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.lib.format import open_memmap
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from onsei.paths import written_aside
from onsei.systems.articulation.data.clips import Clip, Format, as_stored

Kinds = Literal["both", "npz", "npy", "none"]


def write_pairs(folder: Path, clip: Clip, kinds: Kinds, *, frames: int, step: int, format: Format) -> int:
    """Write `pairs_refW/ID.npz` (`mri` (N, W, H, H), `mel_db` (N, F, M), `start` (N,)) and, under `pairs_refW_npy`,
    the same as `ID_mri.npy` and so on. Returns N; nothing is written of a clip shorter than a window.
    """
    total = len(clip.frames)
    starts = np.arange(0, total - frames + 1, step)
    if kinds == "none" or not len(starts):
        return 0
    subframes = clip.mel.shape[1] // total
    mels = sliding_window_view(clip.mel.T, frames * subframes, axis=0)[starts * subframes].transpose(0, 2, 1)
    arrays: dict[str, NDArray[Any]] = {"mel_db": np.ascontiguousarray(mels), "start": starts}
    pictures = as_stored(clip.frames, format)
    windows = sliding_window_view(pictures, frames, axis=0)[starts].transpose(0, 3, 1, 2)  # a view: (N, W, H, H)
    name = f"pairs_ref{frames}"
    if kinds in ("both", "npz"):
        with written_aside(folder / name / f"{clip.id}.npz") as aside, aside.open("wb") as file:
            np.savez(file, mri=windows, mel_db=arrays["mel_db"], start=starts)
    if kinds in ("both", "npy"):
        place = folder / f"{name}_npy"
        for key, array in arrays.items():
            with written_aside(place / f"{clip.id}_{key}.npy") as aside, aside.open("wb") as file:
                np.save(file, array)
        with written_aside(place / f"{clip.id}_mri.npy") as aside:
            mapped = open_memmap(str(aside), mode="w+", dtype=windows.dtype, shape=windows.shape)
            for number, window in enumerate(windows):  # one at a time: all of them are W times the clip
                mapped[number] = window
            mapped.flush()
            del mapped
    return len(starts)
