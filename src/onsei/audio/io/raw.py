"""Headerless PCM becomes wav, sample by sample the same."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from onsei.audio.io.header import checked_path, damaged
from onsei.paths import written_aside


def raw_to_wav(source: Path, target: Path, sample_rate: int, *, big_endian: bool) -> None:
    """Write the 16-bit mono samples of ``source``, which has no header, as the wav file ``target``.

    Nothing is done where ``target`` is there and as long as it should be.

    Args:
        source: samples alone, two bytes each.
        target: replaced when all is written; its folder is made where missing.
        sample_rate: of both, in Hz.
        big_endian: whether the high byte of a sample comes first.

    Raises:
        AudioError: ``source`` is missing, empty, or ends within a sample.
    """
    file = checked_path(source)
    size = file.stat().st_size
    if size % 2:
        raise damaged(file, f"{size} bytes of 16-bit samples")
    if target.is_file() and target.stat().st_size == size + 44:
        return
    samples = np.fromfile(file, dtype=">i2" if big_endian else "<i2")
    with written_aside(target) as aside, wave.open(str(aside), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(sample_rate)
        wav.writeframes(samples.astype("<i2").tobytes())
