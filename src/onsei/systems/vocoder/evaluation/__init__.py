"""Measuring a vocoder: copies of a manifest's recordings, beside Griffin-Lim, and a page to hear them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from onsei.data.manifest import Manifest
from onsei.data.progress import tracked
from onsei.data.row import Row
from onsei.errors import DataError, OnseiError
from onsei.paths import write_text
from onsei.systems.vocoder.baseline import GriffinLimVoice
from onsei.systems.vocoder.config import Evaluate
from onsei.systems.vocoder.data import load_mel, read_sound
from onsei.systems.vocoder.evaluation.listening import Example, write_page
from onsei.systems.vocoder.evaluation.measure import Scores, mel_l1
from onsei.systems.vocoder.evaluation.voices import voices
from onsei.systems.vocoder.inference import Vocoder

__all__ = ["Scores", "evaluate", "mel_l1"]

_WIDTH = 130
"""Of the table where there is no terminal, in characters."""
TITLES = {
    "mel_l1": "mel L1",
    "stft_convergence": "STFT conv.",
    "stft_log_magnitude": "STFT log",
    "stoi": "STOI",
    "pesq": "PESQ",
    "f0_rmse": "F0 Hz",
    "f0_correlation": "F0 corr.",
    "voicing_error": "V/UV %",
    "real_time_factor": "RTF",
}


def evaluate(options: Evaluate) -> None:
    """Print the table of all voices; write JSON and the listening page where asked."""
    manifest = Manifest.open(options.test_manifest)
    if not len(manifest):
        raise DataError(f"{options.test_manifest}: no recordings", "check --test-manifest")
    compared = voices(options)
    (name, model), *others = compared.items()
    baseline = {"griffin-lim": GriffinLimVoice(model.mel, options.iterations)} if options.baseline else {}
    scores, examples, faults = _measured(options, manifest, {name: model, **dict(others), **baseline})
    numbers = {voice: found.numbers() for voice, found in scores.items()}
    console = Console()
    (console if console.is_terminal else Console(width=_WIDTH)).print(
        table(numbers, f"{options.model} on {options.test_manifest}")
    )
    for fault in faults[:20]:
        print(f"not read: {fault}")
    if len(faults) > 20:
        print(f"… and {len(faults) - 20} more")
    if options.json is not None:
        flat = {**numbers[name], "faults": float(len(faults))}
        for voice in (*dict(others), *baseline):
            flat |= {
                f"{voice.replace('-', '_').replace(' ', '_')}_{key}": value for key, value in numbers[voice].items()
            }
        write_text(options.json, json.dumps(finite(flat), indent=1) + "\n")
    if options.page is not None:
        write_page(options.page, examples, numbers, model.sample_rate, title=Path(options.model).name)
        print(options.page)


def _measured(
    options: Evaluate, manifest: Manifest, compared: Mapping[str, Vocoder]
) -> tuple[dict[str, Scores], list[Example], list[str]]:
    scores = {name: Scores(voice.mel, options.pesq) for name, voice in compared.items()}
    examples: list[Example] = []
    faults: list[str] = []
    first = next(iter(compared.values()))
    for row in tracked("copying", _rows(options, manifest)):
        try:
            sound, mel = _read(options, row, first)
        except OnseiError as error:
            faults.append(f"{row.id}: {error.message}")
            continue
        copies = {name: scores[name].add(voice, sound, mel) for name, voice in compared.items()}
        if options.page is not None and len(examples) < options.clips:
            errors = {name: found.sums["mel_l1"][-1] for name, found in scores.items()}
            examples.append(Example(row.id, row.text or "", sound, copies, errors))
    if not any(found.clips for found in scores.values()):
        raise DataError(f"{manifest.path}: none of its recordings could be read; first: {faults[0]}", "mend them")
    return scores, examples, faults


@dataclass(frozen=True)
class _Rows(Sequence[Row]):
    """The first rows of a manifest, read one by one."""

    manifest: Manifest
    most: int

    def __len__(self) -> int:
        return self.most

    def __getitem__(self, number: Any) -> Any:
        if not 0 <= number < self.most:
            raise IndexError(number)
        return self.manifest[number]


def _rows(options: Evaluate, manifest: Manifest) -> Sequence[Row]:
    return _Rows(manifest, min(options.limit or len(manifest), len(manifest)))


def _read(options: Evaluate, row: Row, voice: Vocoder) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """The recording and, where the row names one, its mel; both cut to ``max_seconds``."""
    if row.audio is None:
        raise DataError(f"{row.id}: the row has no audio", "give it the key `audio`")
    sound = read_sound(row, voice.sample_rate)
    mel = None if row.features is None else load_mel(row.features, voice.mel)
    if options.max_seconds:
        sound = sound[: int(options.max_seconds * voice.sample_rate)]
        mel = None if mel is None else mel[:, : max(1, voice.mel.frames(len(sound)))]
    return sound, mel


def table(numbers: Mapping[str, Mapping[str, float]], title: str) -> Table:
    """A row a voice."""
    found = Table(title=title, title_justify="left")
    shown = [key for key in TITLES if any(key in row for row in numbers.values())]
    found.add_column("", no_wrap=True)
    for key in shown:
        found.add_column(TITLES[key], justify="right")
    for voice, row in numbers.items():
        found.add_row(voice.replace("[", r"\["), *(f"{row.get(key, math.nan):.4g}" for key in shown))
    return found


def finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """JSON has no NaN: such numbers become null."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}
