"""Sound as plots and players take it: checked samples, words in time, WAV bytes."""

from __future__ import annotations

import io
import math
import wave
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from onsei.audio.io import encode
from onsei.audio.resample import resample
from onsei.errors import DataError

_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
Word = tuple[str, float, float]
"""A word with its start and end in seconds."""


def checked(samples: ArrayLike, rate: int) -> NDArray[np.float32]:
    """``samples`` as float32, shape (T,) or (T, C).

    Raises:
        DataError: no samples, more than two axes, values that are not finite, or a rate below 1 Hz.
    """
    values: NDArray[Any] = np.asarray(samples)
    if values.ndim not in (1, 2) or values.size == 0 or values.dtype.kind not in "fiu":
        raise DataError(
            f"expected samples of shape (T,) or (T, C), found {values.dtype} of shape {values.shape}",
            "pass a sound that is not empty",
        )
    if values.dtype.kind in "iu":
        raise DataError(
            f"expected samples from -1 to 1 as floats, found {values.dtype}", "divide by the type's largest value"
        )
    if not np.isfinite(values).all():
        raise DataError("samples hold NaN or infinite values", "find the step that made them")
    if not rate >= 1:
        raise DataError(f"expected a sample rate in Hz, found {rate}", "pass the rate that the sound was loaded with")
    return values.astype(np.float32)


def mono(samples: ArrayLike, rate: int) -> NDArray[np.float32]:
    """``samples`` as float32, shape (T,): the mean of the channels. Errors as in ``checked``."""
    values = checked(samples, rate)
    return values if values.ndim == 1 else values.mean(axis=1, dtype=np.float32)


def checked_words(words: Sequence[Word] | None) -> list[Word]:
    """``words`` with plain numbers. Raises DataError where a word ends before it starts or has no finite time."""
    found = [(str(word), float(start), float(end)) for word, start, end in words or ()]
    for word, start, end in found:
        if not (math.isfinite(start) and math.isfinite(end) and start <= end):
            raise DataError(
                f"word {word!r}: expected start ≤ end in seconds, found {start} and {end}", "check the alignment"
            )
    return found


def wav_bytes(samples: ArrayLike, rate: int) -> bytes:
    """A 16-bit WAV file of ``samples``; what lies beyond ±1 is clipped. Errors as in ``checked``."""
    values = checked(samples, rate)
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1 if values.ndim == 1 else values.shape[1])
        file.setsampwidth(2)
        file.setframerate(int(rate))
        file.writeframes(np.round(np.clip(values, -1, 1) * 32767).astype("<i2").tobytes())
    return stream.getvalue()


def mp3_bytes(samples: NDArray[np.float32], rate: int) -> bytes:
    """An MP3 file of samples, shape (T,); what lies beyond ±1 is clipped.

    A rate that MP3 does not have is raised to the next one.
    """
    wanted = next((known for known in _MP3_RATES if known >= rate), _MP3_RATES[-1])
    clipped = np.clip(resample(np.clip(samples, -1, 1), rate, wanted), -1, 1)
    return encode("sound.mp3", clipped, wanted)
