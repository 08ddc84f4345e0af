"""The verb `evaluate`: how far predicted mels are from the true ones, by band."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from onsei.data.manifest import Manifest
from onsei.data.progress import tracked
from onsei.paths import write_text
from onsei.systems.articulation.config.train import Losses
from onsei.systems.articulation.config.verbs import Evaluate
from onsei.systems.articulation.data.prepared import load_mel, read_prepared, video_of
from onsei.systems.articulation.inference import Articulator
from onsei.systems.articulation.losses import GROUPS, groups
from onsei.systems.articulation.training import check_same


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
    count = min(len(manifest), options.limit or len(manifest))
    tally, lines = Tally(), []
    for number in tracked("measuring", range(count)):
        row = manifest[number]
        true = load_mel(row.features or "", prepared.mel.n_mels)
        found = model.predict(model.frames(video_of(row)))
        values = mel_errors(found, true)
        tally.add(values, true.shape[1])
        lines.append({"id": row.id, **values})
    results = {"clips": float(count), "frames": float(tally.frames), **tally.means()}
    print("\n".join(f"{name:<20} {value:10.3f}" for name, value in results.items()))
    if options.table is not None:
        write_text(options.table, "".join(json.dumps(line) + "\n" for line in lines))
    if options.json is not None:
        write_text(options.json, json.dumps(results, indent=1) + "\n")
    return results


def mel_errors(found: NDArray[np.float32], true: NDArray[np.float32]) -> dict[str, float]:
    """Mean absolute errors in dB of log-mels (M, F), whole and by group of bands; and that of the clip's own mean."""
    error = np.abs(found - true)
    parts = groups([edge for edge in Losses().edges if edge < len(true)], len(true))
    bands = {f"mel_mae_{name}": float(error[part].mean()) for name, part in zip(GROUPS, parts, strict=False)}
    return {"mel_mae": float(error.mean()), **bands}
