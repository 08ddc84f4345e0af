"""Sound files by libsndfile: wav, flac, ogg, opus, mp3, aiff, au, caf, sph …; the only door to soundfile."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from onsei.audio.io.header import AudioInfo, Source, damaged, short
from onsei.audio.samples import Samples
from onsei.errors import AudioError

BLOCK = 1 << 20
"""Samples, over all channels, read or written at once; libvorbis overflows its stack when given minutes at once."""
FORMATS = {
    ".wav": ("WAV", "PCM_16"), ".flac": ("FLAC", "PCM_16"), ".ogg": ("OGG", "VORBIS"), ".opus": ("OGG", "OPUS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"), ".aiff": ("AIFF", "PCM_16"), ".au": ("AU", "PCM_16"), ".caf": ("CAF", "PCM_16"),
}  # fmt: skip
"""What ``save`` writes by extension: container and coding."""
_MP3_FRAME = 1152
_VORBIS_PAGE = 255 * 4096
"""Frames in the longest Ogg page. libsndfile misplaces a seek into the last page, whose end is cut."""
_UNKNOWN = 1 << 62  # libsndfile's way to say that it cannot tell the length
_NO_DATA_SIZES = (
    range(0x7FFF0000, 0x80000000),
    range(0xFFFF0000, 0x100000000),
)  # written by programs that write to a pipe


@contextmanager
def open_source(path: Path) -> Iterator[Source | None]:
    """The open file, or None if libsndfile does not know its content. AudioError if it is damaged.

    None, too, where it guesses: content by the extension alone (``RAW``), and the length of an mp3 that does not count
    its frames by the bit rate of the first, which cuts most of a file short whose rate varies.
    """
    try:
        file = sf.SoundFile(os.fspath(path))
    except (sf.LibsndfileError, TypeError):  # TypeError: soundfile's answer to the extension .raw
        yield None
        return
    with file:
        guessed = file.format == "RAW" or (file.format == "MP3" and not _counts_frames(path))
        yield None if guessed else _LibsndfileSource(path, file)


class _LibsndfileSource:
    def __init__(self, path: Path, file: sf.SoundFile) -> None:
        self._file = file
        self.info = AudioInfo(
            path,
            file.samplerate,
            file.channels,
            file.frames,
            file.frames / file.samplerate,
            f"{file.format} {file.subtype}",
        )
        fault = _header_fault(file.extra_info)
        if fault:
            raise damaged(path, fault)
        if file.frames >= _UNKNOWN:
            raise AudioError(f"{path}: its header does not say how long it is", "re-encode it, e.g. as wav or flac")

    def blocks(self, start: int, frames: int) -> Iterator[Samples]:
        entry = self._entry(start)
        found = entry - start  # below 0 as long as what is decoded lies before the segment
        try:
            self._file.seek(entry)
            while found < frames:
                wanted = min(frames - found, BLOCK // self.info.channels)
                block: Samples = self._file.read(wanted, dtype="float32", always_2d=True)
                if found + len(block) > 0:
                    yield block[max(0, -found) :]
                found += len(block)
                if len(block) < wanted:
                    break
        except sf.LibsndfileError as error:
            raise damaged(
                self.info.path, f"cannot be read beyond {(start + found) / self.info.sample_rate:.3f} s"
            ) from error
        # An mp3 header counts the whole last frame, of which players may drop a part.
        if found < frames - (_MP3_FRAME if self._file.format == "MP3" else 0):
            raise short(self.info.path, start, frames, found, self.info.sample_rate)

    def _entry(self, start: int) -> int:
        """The frame to seek to for exact samples from ``start`` on."""
        if self._file.subtype == "VORBIS":
            return min(start, max(0, self.info.frames - _VORBIS_PAGE))
        if self._file.format == "MP3":  # its frames borrow bits from earlier ones
            return max(0, start - self.info.sample_rate // 4)
        return start


def _counts_frames(path: Path) -> bool:
    """Whether an mp3 has a Xing, Info or VBRI header, which counts its frames."""
    with path.open("rb") as file:
        tag = file.read(10)
        if tag.startswith(b"ID3"):  # its size in four bytes of seven bits
            file.seek(10 + sum((byte & 0x7F) << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=True)))
        else:
            file.seek(0)
        head = file.read(4096)
    return any(mark in head for mark in (b"Xing", b"Info", b"VBRI"))


def _header_fault(log: str) -> str:
    """What libsndfile noted about a missing end; it reads such files silently short.

    Sizes may differ by a pad byte, or by the eight bytes of the chunk's own head, which some programs count.
    """
    if "lacks an end-of-stream bit" in log:
        return "the last Ogg page is missing"
    if "Junk after the last page" in log:
        return "the last Ogg page is incomplete"
    for name, promised, found in re.findall(r"([\w ]+?) *: (\d+) \(should be (\d+)\)", log):
        slack = 8 if name.strip().lower() in ("riff", "form", "riff size") else 1
        known = not any(int(promised) in sizes for sizes in _NO_DATA_SIZES)
        if known and int(promised) > int(found) + slack:
            return f"the header promises {promised} bytes, there are {found}"
    return ""


def encode(samples: Samples, sample_rate: int, container: str, coding: str) -> bytes:
    """The bytes of a sound file with ``samples`` (T, C). Raises ValueError where the coding cannot hold them."""
    memory = io.BytesIO()
    step = max(1, BLOCK // 16 // samples.shape[1])
    try:
        with sf.SoundFile(memory, "w", sample_rate, samples.shape[1], format=container, subtype=coding) as file:
            for start in range(0, len(samples), step):
                file.write(samples[start : start + step])
    except sf.LibsndfileError as error:
        raise ValueError(str(error)) from error
    return memory.getvalue()


class Piecewise:
    """A sound file that is written to an open ``file`` piece by piece. Raises ValueError where the coding cannot hold
    it."""

    def __init__(self, file: BinaryIO, sample_rate: int, channels: int, container: str, coding: str) -> None:
        try:
            self._file = sf.SoundFile(file, "w", sample_rate, channels, format=container, subtype=coding)
        except sf.LibsndfileError as error:
            raise ValueError(str(error)) from error

    def write(self, samples: NDArray[np.int16]) -> None:
        """Write further samples (T, C)."""
        self._file.write(samples)
        self._file.flush()

    def close(self) -> None:
        """Write the end; ``file`` stays open."""
        self._file.close()
