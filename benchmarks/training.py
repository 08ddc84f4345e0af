"""How long a trainer waits for data: real speech, one worker, from sound files.

    python benchmarks/training.py --data ../shared/data/arctic_en --json benchmarks/results/training.json

Trains the recipe on the speech for some steps, decoding and measuring every file anew, and reads from metrics.jsonl
which part of each step was spent waiting. The first two steps, when the worker starts, are left out.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import record

BAR = 0.05


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=record.ROOT.parent / "shared" / "data" / "arctic_en")
    parser.add_argument("--recipe", default="tiny")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        words = [
            "--train-manifest",
            str(chosen.data / "train.jsonl"),
            "--output-dir",
            name + "/run",
            "--num-workers",
            "1",
        ]
        words += ["--max-steps", str(chosen.steps), "--unknown-characters", "drop"]
        subprocess.run([sys.executable, "-m", "onsei", "recognition", "train", chosen.recipe, *words], check=True)
        lines = (Path(name) / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    steps = [row for row in map(json.loads, lines) if "data_wait" in row][2:]
    seconds = steps[-1]["seconds"] - steps[0]["seconds"]
    times = [after["seconds"] - before["seconds"] for before, after in itertools.pairwise(steps)]
    waited = sum(row["data_wait"] * time for row, time in zip(steps[1:], times, strict=True))
    share = waited / seconds
    print(f"waited {share:.2%} of {seconds:.1f} s over {len(times)} steps; bar {'held' if share <= BAR else 'MISSED'}")
    found = {"data_wait": share, "steps": len(times), "seconds": seconds, "recipe": chosen.recipe}
    record.write(chosen.json, {**found, "bars": {"data_wait": BAR}, "held": {"data_wait": share <= BAR}})
    return 0 if share <= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
