"""The listening page: recordings beside their copies by every voice, with spectrograms and the numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onsei.plots.report import Report, Sound
from onsei.systems.vocoder.plots import side_by_side


@dataclass(frozen=True)
class Example:
    """A recording and what the voices made of it."""

    name: str
    text: str
    sound: NDArray[np.float32]
    copies: Mapping[str, NDArray[np.float32]]
    """By the voice's name."""
    mel_l1: Mapping[str, float]
    """Likewise, in nepers."""


def write_page(
    path: Path, examples: Sequence[Example], numbers: Mapping[str, Mapping[str, float]], rate: int, *, title: str
) -> None:
    """Write the page; each recording is brought to the loudness of its copies' definition by its own peak."""
    report = Report(f"Vocoder: {title}", "Recordings, and what each voice makes of their mels")
    report.section(
        "Numbers", "Means over the recordings. Lower is better but for STOI, PESQ and the correlation of F0."
    )
    keys = ("mel_l1", "stft_log_magnitude", "stoi", "pesq", "f0_rmse", "voicing_error")
    shown = [key for key in keys if any(key in row for row in numbers.values())]
    report.table(
        ("voice", *(key.replace("_", " ") for key in shown)),
        [(voice, *(_short(row.get(key)) for key in shown)) for voice, row in numbers.items()],
    )
    for one in examples:
        report.section(one.name, one.text)
        rows = [(voice, Sound(level(copy), rate), _short(one.mel_l1[voice])) for voice, copy in one.copies.items()]
        report.table(("voice", "sound", "mel l1"), [("original", Sound(level(one.sound), rate), None), *rows])
        pictured = {name: one.copies[name] for name in list(one.copies)[:: max(1, len(one.copies) - 1)]}
        report.figure(side_by_side({"original": one.sound, **pictured}, rate))
    report.save(path)


def _short(value: float | None) -> float | None:
    """Four digits that count; None where there is no number."""
    return float(f"{value:.4g}") if value is not None and math.isfinite(value) else None


def level(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sound at a peak of 0.95, as most definitions have it; silence as it is."""
    peak = float(np.abs(sound).max(initial=0.0))
    return sound if peak < 1e-6 else (sound * (0.95 / peak)).astype(np.float32)
