"""Spoken digits from scratch: WER on speakers of the training set, and on each speaker left out in turn.

    python benchmarks/digits.py --data ../shared/data/digits_en --json benchmarks/results/digits.json

Every run is `onsei recognition train digits` and `onsei recognition evaluate`, as a user would type them, one after the
other. No run sees rows of its test while training, and none chooses a checkpoint: the number of epochs is fixed. What
the recipe holds was chosen beforehand by runs on these same speakers, so that the mean over left-out speakers is the
recipe's best case.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import record
from onsei.data import manifest
from onsei.data.manifest import Manifest
from onsei.data.row import Row

BARS = {"dev_wer": 1.5, "left_out_wer": 12.0, "longest_minutes": 10.0}


def run(name: str, train: Sequence[Row], test: Sequence[Row], folder: Path, extra: Sequence[str]) -> dict[str, Any]:
    manifest.write(folder / f"{name}-train.jsonl", train)
    manifest.write(folder / f"{name}-test.jsonl", test)
    onsei = [sys.executable, "-m", "onsei", "recognition"]
    began = time.perf_counter()
    words = ["--train-manifest", str(folder / f"{name}-train.jsonl"), "--output-dir", str(folder / name), *extra]
    subprocess.run([*onsei, "train", "digits", *words], check=True)
    seconds = time.perf_counter() - began
    out = folder / f"{name}.json"
    words = [str(folder / name), "--test-manifest", str(folder / f"{name}-test.jsonl"), "--json", str(out)]
    subprocess.run([*onsei, "evaluate", *words], check=True)
    rates = json.loads(out.read_text(encoding="utf-8"))
    return {"wer": rates["wer"], "utterances": rates["utterances"], "train_seconds": round(seconds, 1)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=record.ROOT.parent / "shared" / "data" / "digits_en")
    parser.add_argument("--only", nargs="*", help="runs to make: dev and speakers' names; all by default")
    parser.add_argument("--json", type=Path)
    chosen, extra = parser.parse_known_args()
    train, dev = list(Manifest.open(chosen.data / "train.jsonl")), list(Manifest.open(chosen.data / "dev.jsonl"))
    speakers = sorted({str(row.speaker) for row in train})
    runs: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        for what in chosen.only or ["dev", *speakers]:
            parts = (
                (train, dev)
                if what == "dev"
                else ([r for r in train if r.speaker != what], [r for r in [*train, *dev] if r.speaker == what])
            )
            runs[what] = run(what, *parts, Path(name), extra)
            print(what, runs[what], flush=True)
    left_out = [runs[speaker]["wer"] for speaker in speakers if speaker in runs]
    found = {
        "dev_wer": runs["dev"]["wer"] if "dev" in runs else None,
        "left_out_wer": statistics.mean(left_out) if left_out else None,
        "longest_minutes": max(r["train_seconds"] for r in runs.values()) / 60,
    }
    held = {name: value is not None and value <= BARS[name] for name, value in found.items()}
    print(found, "bars:", ", ".join(f"{name} {'held' if ok else 'MISSED'}" for name, ok in held.items()))
    record.write(chosen.json, {**found, "runs": runs, "bars": BARS, "held": held})
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
