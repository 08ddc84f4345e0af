"""How soon the command line answers, and how long each chapter of the demo takes.

python benchmarks/start.py --json benchmarks/results/start.json
python benchmarks/start.py --chapters recognition
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import record

BARS = {
    "help_seconds": 0.5,
    "recognition": 2.5,
    "classification": 1.0,
    "articulation": 2.0,
    "translation": 3.5,
    "song": 2.5,
}
"""Seconds of the help; minutes of chapters."""


def timed(*words: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "onsei", *words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chapters", nargs="*", default=[name for name in BARS if name != "help_seconds"])
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    timed("--help")
    found = {"help_seconds": sorted(timed("--help") for _ in range(9))[4]}
    with tempfile.TemporaryDirectory() as name:
        for chapter in chosen.chapters:
            found[chapter] = timed("demo", chapter, "--output-dir", name + "/demo") / 60
            print(chapter, found[chapter], flush=True)
    held = {name: value <= BARS[name] for name, value in found.items()}
    print(found, "bars:", ", ".join(f"{name} {'held' if ok else 'MISSED'}" for name, ok in held.items()))
    record.write(chosen.json, {**found, "bars": BARS, "held": held})
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
