"""ESC-10 from scratch: accuracy cross-validated over the official folds that are here.

    python benchmarks/esc10.py --data ../shared/data/esc10 --json benchmarks/results/esc10.json

One `onsei classification cross-validate esc10`. No run sees rows of its test fold while training, and none chooses a
checkpoint: the number of epochs is fixed and the last weights are measured. What the recipe holds was chosen beforehand
among some twenty settings tried over these same folds (docs/decisions/0009-textures.md), so that the mean is the
recipe's best case. `--jobs 2` trains two folds at once.
"""

from __future__ import annotations

import sys

import folds
import record

FLOORS = {"accuracy_mean": 88.0}
CEILINGS = {"minutes": 12.0}


def main() -> int:
    manifest, out, extra = folds.parsed(str(__doc__), "esc10", "folds1-4.jsonl")
    found = folds.cross_validated("esc10", manifest, "fold", extra)
    found["minutes"] = found["seconds"] / 60
    held = folds.judged(found, FLOORS, CEILINGS)
    folds.told(found, held)
    record.write(out, {**found, "bars": {**FLOORS, **CEILINGS}, "held": held})
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
