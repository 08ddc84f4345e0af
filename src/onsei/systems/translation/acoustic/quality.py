"""What units are worth: use and bitrate; agreement with phones and ABX where rows have an alignment; a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onsei.audio import io
from onsei.data.manifest import Manifest
from onsei.data.progress import tracked
from onsei.data.row import Row
from onsei.errors import OnseiError
from onsei.metrics import units as metrics
from onsei.metrics.units import NONE, Token
from onsei.paths import write_text, written_aside
from onsei.plots import style
from onsei.systems.translation.acoustic.listener import Listener
from onsei.systems.translation.plots import spectrogram_with_units
from onsei.units.spectral import RATE

QUALITY, PICTURE = "quality.json", "units.png"
_ROWS = 500
_SILENCES = {"", "SIL", "SP", "SPN", "PAU", "#", "<SIL>"}
_PICTURE_SECONDS = 6.0


def report(listener: Listener, manifest: Manifest, folder: Path) -> dict[str, float]:
    """Measure units on up to 500 rows of ``manifest``, print it, and write it into ``folder``."""
    clips, rows = heard(listener, manifest)
    if not clips:
        print("no validation recording can be used: the units are not measured")
        return {}
    found = measured(clips, rows, listener)
    width = max(map(len, found))
    print("\n".join(f"{name:<{width}}  {value:.4g}" for name, value in found.items()))
    write_text(folder / QUALITY, json.dumps(found, indent=1) + "\n")
    row = min(rows, key=lambda r: abs((r.duration or 3.0) - 3.0))
    draw(listener, row, folder / PICTURE)
    return found


def heard(listener: Listener, manifest: Manifest) -> tuple[list[NDArray[np.int64]], list[Row]]:
    """Units of rows that lie evenly over the manifest, and these rows; those that cannot be read are passed over."""
    chosen = np.unique(np.linspace(0, len(manifest) - 1, min(len(manifest), _ROWS)).astype(int)).tolist()
    clips, rows = [], []
    for number in tracked("measuring units", chosen):
        row = manifest[number]
        if row.audio is None:
            continue
        offset, span = row.segment
        try:
            units, _ = listener.units(row.audio, offset=offset, duration=span, channel=row.channel)
        except OnseiError:
            continue
        clips.append(units)
        rows.append(row)
    return clips, rows


def measured(clips: list[NDArray[np.int64]], rows: list[Row], listener: Listener) -> dict[str, float]:
    """Numbers by name. ``…_sounding`` leave frames of silence out; shares are 0 to 1, ABX errors in percent."""
    use = metrics.use(clips, listener.frame_seconds)
    found: dict[str, float] = {"units": listener.count, "dead": listener.count - use.used}
    found |= {name: float(value) for name, value in asdict(use).items()}
    aligned = [(clip, row) for clip, row in zip(clips, rows, strict=True) if row.phones and row.phones[0].end]
    if not aligned:
        return found
    numbers: dict[str, int] = {}
    middle = listener.frames.smallest / 2 / RATE
    phones = [phones_of(row, len(clip), numbers, listener.frame_seconds, middle) for clip, row in aligned]
    units, flat = np.concatenate([clip for clip, _ in aligned]), np.concatenate(phones)
    silent = [number for name, number in numbers.items() if name.upper() in _SILENCES]
    sounding = np.where(np.isin(flat, silent), NONE, flat)
    for ending, labels in (("", flat), ("_sounding", sounding)):
        agreed = asdict(metrics.agreement(units, labels))
        found |= {f"{name}{ending}": float(value) for name, value in agreed.items()}
    found["abx"] = metrics.abx(_tokens(aligned, listener, middle))
    return found


def phones_of(row: Row, frames: int, numbers: dict[str, int], frame_seconds: float, middle: float) -> NDArray[np.int64]:
    """The phone of each frame of ``row``."""
    return metrics.frame_phones(row.phones or (), frames, numbers, frame_seconds=frame_seconds, first=middle)


def _tokens(aligned: list[tuple[NDArray[np.int64], Row]], listener: Listener, middle: float) -> list[Token]:
    """Spoken phones as one-hot frames of their units, by speaker."""
    eye = np.eye(listener.count, dtype=np.float32) if listener.count <= 4096 else None
    tokens = []
    for clip, row in aligned:
        for phone in row.phones or ():
            if phone.start is None or phone.end is None or phone.symbol.upper() in _SILENCES or eye is None:
                continue
            first = max(0, int(np.ceil((phone.start - middle) / listener.frame_seconds)))
            last = int(np.ceil((phone.end - middle) / listener.frame_seconds))
            if last > first and first < len(clip):
                tokens.append(Token(eye[clip[first:last]], phone.symbol, row.speaker or ""))
    return tokens


def draw(listener: Listener, row: Row, target: Path) -> None:
    """A picture of the beginning of ``row``: its spectrogram with its units, and its phones, under it."""
    assert row.audio is not None
    offset, span = row.segment
    seconds = min(span or _PICTURE_SECONDS, _PICTURE_SECONDS)
    whole = io.info(row.audio).duration - offset
    samples, _ = io.load(row.audio, RATE, offset=offset, duration=min(seconds, whole), channel=row.channel)
    units = listener.batch([samples])[0]
    figure = spectrogram_with_units(samples, RATE, units, listener.frame_seconds, row.phones or ())
    with written_aside(target) as aside:
        aside.write_bytes(style.to_png(figure))


def as_metrics(found: Mapping[str, Any]) -> dict[str, float]:
    """What belongs into a model's history."""
    return {f"units/{name}": float(value) for name, value in found.items()}
