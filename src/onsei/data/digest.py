"""Short digests, by which values and sounds of ten million rows are compared without being kept."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

from onsei.audio import io
from onsei.data.row import Row
from onsei.errors import DataError


def digest(text: str) -> int:
    """8 bytes of a hash of ``text`` as a number, never 0."""
    return _number(blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest())


def sound_digest(row: Row) -> tuple[int, float]:
    """The digest of the samples of ``row``, at its file's own rate and in 16 bits, and their greatest amplitude.

    The sound is decoded in blocks: two hours need no more memory than a second.

    Raises:
        DataError: the row names no audio.
        AudioError: the file cannot be read, or is damaged inside.
    """
    if row.audio is None:
        raise DataError(f"row {row.id}: names no audio", "give the row an `audio`")
    peak, hashed = 0.0, blake2b(digest_size=8)
    offset, duration = row.segment
    for block in io.blocks(row.audio, offset=offset, duration=duration, channel=row.channel):
        peak = max(peak, float(np.abs(block).max()))
        # Steps of 16 bits, so that a copy in flac and one in wav of 24 bits are the same sound.
        hashed.update((np.clip(block, -1, 1) * 32767).round().astype("<i2").tobytes())
    return _number(hashed.digest()), peak


def _number(hashed: bytes) -> int:
    return int.from_bytes(hashed, "little") or 1
