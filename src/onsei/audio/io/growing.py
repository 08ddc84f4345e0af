"""Sound files that are written piece by piece, and can be heard while they grow.

C channels, T samples.
"""

from __future__ import annotations

import wave
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np

from onsei.audio.io import libsndfile
from onsei.audio.samples import Samples
from onsei.errors import AudioError

_FULL = 32767


class Growing:
    """A wav, flac or mp3 file of 16-bit samples; after every piece the file holds all of it that its format lets out.

    A wav file is whole after every piece. It is written at its place from the start: what interrupts it leaves what was
    written.

    Args:
        path: the file; its folder is made if missing, a file that is there is replaced.
        sample_rate: in Hz.
        channels: C.

    Raises:
        AudioError: an extension that cannot grow, or a rate or channel count that the format lacks.
    """

    def __init__(self, path: Path, sample_rate: int, channels: int) -> None:
        kind = path.suffix.lower()
        if kind not in (".wav", ".flac", ".mp3"):
            raise AudioError(f"{path}: cannot be written piece by piece", "choose .wav, .flac or .mp3")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = path.open("wb")
        try:
            if kind == ".wav":
                self._sound: wave.Wave_write | libsndfile.Piecewise = wave.open(self._file, "wb")  # noqa: SIM115
                self._sound.setparams((channels, 2, sample_rate, 0, "NONE", "not compressed"))
            else:
                container, coding = libsndfile.FORMATS[kind]
                self._sound = libsndfile.Piecewise(self._file, sample_rate, channels, container, coding)
        except ValueError as error:
            self._file.close()
            raise AudioError(f"{path}: {error}", "choose another rate or extension") from error

    def push(self, samples: Samples) -> None:
        """Write further samples (C, T), within ±1."""
        pieces = np.round(np.clip(samples.T, -1, 1) * _FULL).astype("<i2")
        if isinstance(self._sound, wave.Wave_write):
            self._sound.writeframes(pieces.tobytes())
        else:
            self._sound.write(pieces)
        self._file.flush()

    def close(self) -> None:
        """Write the end."""
        self._sound.close()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
