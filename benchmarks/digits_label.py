"""Spoken digits as classes: accuracy on each speaker, left out of training in turn.

    python benchmarks/digits_label.py --data ../shared/data/digits_en --json benchmarks/results/digits_label.json

One `onsei classification cross-validate digits --by speaker`. No run hears its speaker while training, and none chooses
a checkpoint: the number of epochs is fixed and the last weights are measured. What the recipe holds was chosen
beforehand by runs on these same speakers, so that the mean is the recipe's best case. Chance is 10 %.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import folds
import record
from onsei.data import manifest as manifests
from onsei.data.manifest import Manifest

FLOORS = {"accuracy_mean": 85.0}


def main() -> int:
    first, out, extra = folds.parsed(str(__doc__), "digits_en", "train.jsonl")
    with tempfile.TemporaryDirectory() as name:
        whole = Path(name) / "all.jsonl"
        manifests.write(whole, [*Manifest.open(first), *Manifest.open(first.with_name("dev.jsonl"))])
        found = folds.cross_validated("digits", whole, "speaker", extra)
    held = folds.judged(found, FLOORS, {})
    folds.told(found, held)
    record.write(out, {**found, "bars": FLOORS, "held": held})
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
