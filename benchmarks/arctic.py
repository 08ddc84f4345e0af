"""CMU Arctic, half an hour of one voice, cased and punctuated: CER of a run of half an hour.

    python benchmarks/arctic.py --data ../shared/data/arctic_en --json benchmarks/results/arctic.json

A part of the training rows chooses the checkpoint; the dev split is scored once, at the end. There is no bar but the
time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import corpus
import record

BARS = {"train_minutes": 30.0}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=record.ROOT.parent / "shared" / "data" / "arctic_en")
    parser.add_argument("--keep", type=Path, help="folder to keep the run in")
    parser.add_argument("--json", type=Path)
    chosen, extra = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as name:
        found = corpus.run("arctic", chosen.data, chosen.keep or Path(name), ["--val", "0.06", "--seed", "0"], extra)
    held = {"train_minutes": found["train_minutes"] <= BARS["train_minutes"]}
    print({"dev_cer": found["dev"]["cer"], "dev_wer": found["dev"]["wer"], "train_minutes": found["train_minutes"]})
    record.write(chosen.json, {"dev_cer": found["dev"]["cer"], **found, "bars": BARS, "held": held})
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
