"""The listening page of `synthesize`: each film's own sound beside all voices, with numbers and log-mels.

M mel bands, F frames, S samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onsei.plots.cells import Cell
from onsei.plots.report import Report, Sound
from onsei.systems.articulation.plots import mels
from onsei.vocoder.definition import MelDefinition

SHOWN = {
    "mcd": "MCD, dB",
    "f1_error": "F1 off, Hz",
    "f2_error": "F2 off, Hz",
    "f0_rmse": "F0 off, Hz",
    "voicing_error": "V/UV, %",
    "stoi": "STOI",
}
"""Numbers of the page, and what they are called there."""
_PEAK = 0.9


@dataclass(frozen=True)
class Heard:
    """A film, and what the voices made of it."""

    name: str
    mels: Mapping[str, NDArray[np.float32]]
    """Log-mels in dB by their names, each (M, F): the one that was read off, and that of the film's own sound."""
    own: NDArray[np.float32] | None
    """The film's own sound (S,), where it has one."""
    voices: Mapping[str, NDArray[np.float32]]
    """What each voice made of it, (S,)."""
    numbers: Mapping[str, Mapping[str, float]]
    """Of each voice against the film's own sound; empty where there is none."""


def write_page(
    path: Path, films: Sequence[Heard], numbers: Mapping[str, Mapping[str, float]], mel: MelDefinition, title: str
) -> None:
    """Write the page; every sound is brought to one peak, so that loudness does not choose.

    Args:
        path: the page.
        films: to be heard.
        numbers: of each voice over all films; empty where no film has sound.
        mel: what the log-mels are.
        title: of the page.
    """
    report = Report(f"Articulation: {title}", "Films of a vocal tract, and what each voice makes of them")
    if numbers:
        report.section("Numbers", "Against the films' own sound, over all films. Lower is better, but for STOI.")
        report.table(("voice", *SHOWN.values()), [(name, *_row(one)) for name, one in numbers.items()])
    for film in films:
        report.section(film.name)
        rows: list[tuple[Cell, ...]] = []
        if film.own is not None:
            rows.append(("the film's own", _player(film.own, mel), *(None for _ in SHOWN)))
        for name, sound in film.voices.items():
            rows.append((name, _player(sound, mel), *_row(film.numbers.get(name, {}))))
        report.table(("voice", "sound", *SHOWN.values()), rows)
        report.figure(mels(film.mels, mel))
    report.save(path)


def _row(numbers: Mapping[str, float]) -> list[float | None]:
    """The shown numbers, to four digits that count; None where there is none."""
    found = [numbers.get(name) for name in SHOWN]
    return [float(f"{one:.4g}") if one is not None and isfinite(one) else None for one in found]


def _player(sound: NDArray[np.float32], mel: MelDefinition) -> Sound:
    peak = float(np.abs(sound).max(initial=0.0))
    return Sound(sound * (_PEAK / peak) if peak > 1e-6 else sound, mel.sample_rate)
