"""The verb `evaluate`: how far predicted mels are from the true ones, and how far their voice is from the real one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from onsei.audio import io
from onsei.data.manifest import Manifest
from onsei.data.progress import tracked
from onsei.data.row import Row
from onsei.errors import DataError
from onsei.paths import write_text
from onsei.systems.articulation.config.train import Losses
from onsei.systems.articulation.config.verbs import Evaluate
from onsei.systems.articulation.data.prepared import load_mel, read_prepared, video_of
from onsei.systems.articulation.evaluation.sound import SoundScores
from onsei.systems.articulation.inference import Articulator
from onsei.systems.articulation.losses import GROUPS, groups
from onsei.systems.articulation.training import check_same
from onsei.systems.articulation.voices import open_voices


@dataclass
class Tally:
    """Sums over clips."""

    frames: int = 0
    errors: dict[str, float] = field(default_factory=dict)
    """Absolute errors, summed over frames, by name."""

    def add(self, values: Mapping[str, float], frames: int) -> None:
        """Count a clip's means over ``frames`` frames."""
        self.frames += frames
        for name, value in values.items():
            self.errors[name] = self.errors.get(name, 0.0) + value * frames

    def means(self) -> dict[str, float]:
        """Means over all frames."""
        return {name: value / max(1, self.frames) for name, value in self.errors.items()}


def evaluate(options: Evaluate) -> dict[str, float]:
    """Print a table and write the numbers that are asked for; returns them.

    Raises:
        OnseiError: no model, or clips that are not what it reads.
    """
    model = Articulator.load(options.model, options.device, options.dtype)
    prepared = read_prepared(options.test_manifest)
    check_same(model.prepared, prepared, options.test_manifest)
    manifest = Manifest.open(options.test_manifest)
    rate = prepared.mel.sample_rate
    voices = open_voices(options.vocoder, prepared.mel, device=options.device, iterations=options.iterations)
    scores = {voice.name: SoundScores(rate, options.pesq, options.ceiling) for voice in voices}
    copies = {voice.name: SoundScores(rate, options.pesq, options.ceiling) for voice in voices if options.copy}
    tally, lines = Tally(), []
    count = min(len(manifest), options.limit or len(manifest))
    for number in tracked("measuring", range(count)):
        row = manifest[number]
        true = load_mel(row.features or "", prepared.mel.n_mels)
        found = model.predict(model.frames(video_of(row)))
        if found.shape != true.shape:
            raise DataError(
                f"{row.id}: a mel of shape {found.shape} for one of {true.shape}", "prepare the clips again"
            )
        values = mel_errors(found, true)
        tally.add(values, true.shape[1])
        for voice in voices:
            sound = _sound(row, rate)
            scores[voice.name].add(sound, voice.speak(found, len(sound)))
            if options.copy:
                copies[voice.name].add(sound, voice.speak(true, len(sound)))
        lines.append({"id": row.id, "frames": true.shape[1], **values})
    results: dict[str, float] = {"clips": float(count), "frames": float(tally.frames), **tally.means()}
    for prefix, each in (("", scores), ("copy_", copies)):
        for place, (name, one) in enumerate(each.items()):
            where = "" if place == 0 else f"{name}/"  # numbers of the first voice have plain names
            results |= {f"{where}{prefix}{key}": value for key, value in one.numbers().items()}
    print(table(results, voices[0].name if voices else ""))
    if options.table is not None:
        write_text(options.table, "".join(json.dumps(line) + "\n" for line in lines))
    if options.json is not None:
        plain = {name: value if isfinite(value) else None for name, value in results.items()}
        write_text(options.json, json.dumps(plain, indent=1) + "\n")
    return results


def mel_errors(found: NDArray[np.float32], true: NDArray[np.float32]) -> dict[str, float]:
    """Mean absolute errors in dB of log-mels (M, F), whole and by group of bands."""
    error = np.abs(found - true)
    parts = groups([edge for edge in Losses().edges if edge < len(true)], len(true))
    bands = {f"mel_mae_{name}": float(error[part].mean()) for name, part in zip(GROUPS, parts, strict=False)}
    return {"mel_mae": float(error.mean()), **bands}


def table(results: Mapping[str, float], voice: str) -> str:
    """Numbers, a line each, with their units."""
    units = {"mel_mae": "dB", "mcd": "dB", "f0_rmse": "Hz", "_error": "Hz", "voicing_error": "%"}
    lines = [f"sound by {voice}; copy: from the true mels" if voice else "no sound was made"]
    for name, value in results.items():
        unit = "%" if name.endswith("voicing_error") else next((u for k, u in units.items() if k in name), "")
        lines.append(f"  {name:<24} {value:10.3f} {unit}".rstrip())
    return "\n".join(lines)


def _sound(row: Row, rate: int) -> NDArray[np.float32]:
    if row.audio is None:
        raise DataError(f"{row.id}: the row has no audio", "prepare the clips again, or give --vocoder nothing")
    sound, _ = io.load(row.audio, rate)
    return sound
