"""One corpus, as a user would train and score it: split validation off, `onsei recognition train`, `evaluate` once."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def run(
    recipe: str, data: Path, folder: Path, split: Sequence[str], extra: Sequence[str], average: int = 0
) -> dict[str, Any]:
    """Train ``recipe`` on the corpus ``data`` and score its dev split, which nothing before sees.

    Args:
        recipe: name of the recipe.
        data: folder of train.jsonl and dev.jsonl.
        folder: where manifests and run go.
        split: how `onsei data split` takes validation off train.
        extra: further flags of `onsei recognition train`.
        average: epochs whose weights are averaged, those of the best validation; 0 scores the best one alone.

    Returns:
        What `evaluate` wrote, the minutes of training, and the last validations.
    """
    onsei = [sys.executable, "-m", "onsei"]
    parts, model, scores = folder / "parts", folder / "run", folder / "dev.json"
    subprocess.run([*onsei, "data", "split", str(data / "train.jsonl"), "--output-dir", str(parts), *split], check=True)
    began = time.perf_counter()
    words = ["--train-manifest", str(parts / "train.jsonl"), "--val-manifest", str(parts / "val.jsonl")]
    words += ["--output-dir", str(model), *(["--checkpoint"] if average else []), *extra]
    subprocess.run([*onsei, "recognition", "train", recipe, *words], check=True)
    minutes = (time.perf_counter() - began) / 60
    scored = folder / "averaged" if average else model
    if average:
        words = [str(model), "--best", str(average), "--output-dir", str(scored)]
        subprocess.run([*onsei, "average", *words], check=True)
    words = [str(scored), "--test-manifest", str(data / "dev.jsonl"), "--json", str(scores)]
    words += ["--table", str(folder / "dev.jsonl")]
    subprocess.run([*onsei, "recognition", "evaluate", *words], check=True)
    return {
        "train_minutes": round(minutes, 1),
        "dev": json.loads(scores.read_text(encoding="utf-8")),
        "validation": validations(model)[-5:],
        "rows": {name: lines(parts / f"{name}.jsonl") for name in ("train", "val")},
    }


def validations(model: Path) -> list[dict[str, Any]]:
    """Every validation of a run, in order: the epoch's step and rates."""
    found = map(json.loads, (model / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    return [
        {k: v for k, v in line.items() if k == "step" or k.startswith("val/")} for line in found if "val/wer" in line
    ]


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())
