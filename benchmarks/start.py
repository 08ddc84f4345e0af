"""How soon the command line answers, and how long the demo takes.

python benchmarks/start.py --json benchmarks/results/start.json
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import record

BARS = {"help_seconds": 0.5, "demo_minutes": 2.5}


def timed(*words: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "onsei", *words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    timed("--help")
    found = {"help_seconds": sorted(timed("--help") for _ in range(9))[4]}
    with tempfile.TemporaryDirectory() as name:
        found["demo_minutes"] = timed("demo", "--output-dir", name + "/demo") / 60
    held = {name: value <= BARS[name] for name, value in found.items()}
    print(found, "bars:", ", ".join(f"{name} {'held' if ok else 'MISSED'}" for name, ok in held.items()))
    record.write(chosen.json, {**found, "bars": BARS, "held": held})
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
