"""Mboshi, a language without a standard script, into French: 79 minutes of real speech, from nothing.

    python benchmarks/translation_mboshi.py --json benchmarks/results/translation_mboshi.json

There is no bar: from so little, on a CPU, no translation is learned. What counts is that it is told: BLEU beside that
of the best constant sentence, of a random training sentence, of the same translations on other clips, of the decoder
shown zeros; and how many dev sentences recur in training word for word. Lowercased.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import record
from translation_world import onsei, read

NAMES = ("bleu", "bleu_low", "bleu_high", "chrf", "bleu_shuffled", "bleu_zeroed", "bleu_constant", "bleu_random",
         "recurring")  # fmt: skip
TRAIN = (
    *("--language", "fr", "--val-share", 0.05, "--vocabulary", 1000, "--longest", 40, "--units.width", 128),
    *("--units.dropout", 0.3, "--decoder.dropout", 0.3, "--masks", 3, "--substitute", 0.1, "--max-units", 800),
    *("--epochs", 12, "--max-steps", 0, "--threads", 0),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=record.MBOSHI)
    parser.add_argument("--work", type=Path, default=Path("runs/translation-mboshi"))
    parser.add_argument("--json", type=Path)
    options, extra = parser.parse_known_args()
    units, model = options.work / "units", options.work / "translator"
    if not (units / "onsei.json").is_file():
        words = ("--features.kind", "mfcc", "--num-clusters", 256, "--epochs", 1, "--threads", 0)
        onsei("fit-units", "tiny", "--data-dir", options.data / "train.jsonl", "--output-dir", units, *words)
    for name in ("train", "dev"):
        onsei("encode", units, "--manifest", options.data / f"{name}.jsonl", "--output-dir", options.work / name)
    train, dev = (options.work / name / "units.jsonl" for name in ("train", "dev"))
    if not (model / "onsei.json").is_file():
        onsei("train", "tiny", "--train-manifest", train, "--output-dir", model, *TRAIN, *extra)
    out = options.work / "dev.json"
    words = ("--train-manifest", train, "--json", out, "--lowercase", "--beams", 4)
    onsei("evaluate", model, "--test-manifest", dev, *words)
    found = read(out)
    print({name: found[name] for name in NAMES})
    record.write(options.json, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
