"""The listening page: recordings beside their copies by every voice, with spectrograms and the numbers."""

from __future__ import annotations

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
        [(voice, *(f"{row[key]:.4g}" if key in row else None for key in shown)) for voice, row in numbers.items()],
    )
    report.section("Side by side")
    names = list(next(iter(examples)).copies) if examples else []
    report.table(
        ("recording", "original", *names),
        [
            (one.text or one.name, Sound(level(one.sound), rate), *(Sound(level(one.copies[n]), rate) for n in names))
            for one in examples
        ],
    )
    for one in examples[:2]:
        report.section(one.name, one.text)
        report.figure(side_by_side({"original": one.sound, **one.copies}, rate))
    report.save(path)


def level(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sound at a peak of 0.95, as most definitions have it; silence as it is."""
    peak = float(np.abs(sound).max(initial=0.0))
    return sound if peak < 1e-6 else (sound * (0.95 / peak)).astype(np.float32)
