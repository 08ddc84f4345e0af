"""What is known of a sound file before its samples are read, and what a reader of files offers."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from onsei.audio.samples import Samples
from onsei.errors import AudioError


@dataclass(frozen=True)
class AudioInfo:
    """The header of a sound file."""

    path: Path
    sample_rate: int
    """In Hz."""
    channels: int
    frames: int
    """Samples per channel."""
    duration: float
    """In seconds."""
    format: str
    """Container and coding, e.g. ``WAV PCM_16`` or ``webm opus``."""


class Source(Protocol):
    """An open sound file."""

    @property
    def info(self) -> AudioInfo:
        """The header."""
        ...

    def blocks(self, start: int, frames: int) -> Iterator[Samples]:
        """Blocks (t, C) of the ``frames`` frames from ``start`` on. AudioError if the file holds fewer."""
        ...


def checked_path(path: str | Path) -> Path:
    """The absolute path of a regular file that is not empty; AudioError for anything else.

    Absolute, so that no library takes a name such as ``-`` or ``concat:a|b`` for more than a name. Devices and pipes
    are refused because they may never end.
    """
    file = Path(path)
    try:
        status = file.stat()
    except FileNotFoundError:
        raise AudioError(f"{file}: no such file", "check the path; relative ones start at the current folder") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AudioError(f"{str(file)!r}: cannot be opened ({reason})", "check the path and its permissions") from None
    if not stat.S_ISREG(status.st_mode):
        raise AudioError(f"{file}: expected a sound file, found a folder, device or pipe", "name a file")
    if status.st_size == 0:
        raise AudioError(f"{file}: empty file (0 bytes)", "record or copy it again")
    return file.absolute()


def is_shortened(path: Path) -> bool:
    """Whether this is a NIST SPHERE file whose samples are compressed by shorten."""
    with path.open("rb") as file:
        head = file.read(1024)
    return head.startswith(b"NIST_1A") and b"shorten" in head


def damaged(path: Path, found: str) -> AudioError:
    """The error for a file that is cut short or broken inside."""
    return AudioError(
        f"{path}: damaged or cut short: {found}", "copy or record it again; to keep what can be read, re-encode it"
    )


def short(path: Path, start: int, expected: int, found: int, sample_rate: int) -> AudioError:
    """The error for a file that holds fewer samples than its header promises."""
    promised, held = (start + expected) / sample_rate, (start + found) / sample_rate
    return damaged(path, f"the header promises {promised:.3f} s, only {held:.3f} s can be read")
