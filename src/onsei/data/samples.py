"""deepspeech.pytorch's JSON manifest of 2022: one object with ``root_path`` and a list of ``samples``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from onsei.errors import DataError

_HEAD = re.compile(rb'\s*\{\s*"(?:root_path|samples)"\s*:')
_BETWEEN = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Samples:
    """Where each sample stands."""

    root: str
    """``root_path``; empty where the manifest has none."""
    offsets: npt.NDArray[np.uint64]
    """First byte of each sample, and the file's size."""
    durations: npt.NDArray[np.float32]
    """Seconds, NaN where a sample has no ``duration``."""


def is_samples(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is such a manifest."""
    return _HEAD.match(head) is not None


def read(manifest: Path) -> Samples:
    """Find the samples of ``manifest``. The whole file is in memory meanwhile: these manifests are of that size.

    Raises:
        DataError: not UTF-8, not JSON, or without samples that are objects.
    """
    try:
        content = manifest.read_bytes()
        text = content.decode("utf-8-sig")
        place = len(content) - len(text.encode())  # a byte order mark
        root, starts, seconds = "", [], []
        character = 0
        for key, start, value in _members(text):
            if key == "root_path":
                root = value
            elif key == "samples":
                place += len(text[character:start].encode())
                character = start
                starts.append(place)
                seconds.append(_duration(value))
    except (ValueError, IndexError, RecursionError) as error:
        raise DataError(f"{manifest}: not whole JSON ({error})", "write it again") from None
    if not isinstance(root, str) or not starts or seconds.count(None):
        expected = "expected `root_path` and `samples`, a list of objects with wav_path and transcript_path"
        raise DataError(
            f"{manifest}: {expected}; holds no rows" if not starts else f"{manifest}: {expected}", "mend it"
        )
    return Samples(root, np.array([*starts, len(content)], np.uint64), np.array(seconds, np.float32))


def first_object(content: bytes) -> bytes:
    """The JSON value that ``content`` begins with, without what follows it."""
    text = content.decode()
    return text[: _DECODER.raw_decode(text)[1]].encode()


def _members(text: str) -> Iterator[tuple[str, int, Any]]:
    """(key, place, value) of the top object; each element of the list ``samples`` by itself."""
    place = _after(text, 0, "{")
    while text[place] != "}":
        key, place = _DECODER.raw_decode(text, place)
        place = _after(text, place, ":")
        if key == "samples" and text[place] == "[":
            place = _after(text, place, "[")
            while text[place] != "]":
                value, end = _DECODER.raw_decode(text, place)
                yield key, place, value
                place = _comma(text, end, "]")
            end = place + 1
        else:
            value, end = _DECODER.raw_decode(text, place)
            yield key, place, value
        place = _comma(text, end, "}")


def _skip(text: str, place: int) -> int:
    match = _BETWEEN.match(text, place)
    return match.end() if match else place


def _after(text: str, place: int, mark: str) -> int:
    place = _skip(text, place)
    if text[place] != mark:
        raise ValueError(f"expected {mark} at character {place}")
    return _skip(text, place + 1)


def _comma(text: str, place: int, end: str) -> int:
    """Place behind a comma, or of the ``end``."""
    place = _skip(text, place)
    return place if text[place] == end else _after(text, place, ",")


def _duration(sample: Any) -> float | None:
    """Seconds or NaN; None for what is no object."""
    if not isinstance(sample, dict):
        return None
    value = sample.get("duration")
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else float("nan")
