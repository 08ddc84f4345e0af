"""Flickr8k pictures with spoken captions, from nothing: speech finds its picture, and pictures their speech.

    python benchmarks/translation_flickr.py --json benchmarks/results/translation_flickr.json

Units are clustered cepstra of the training speech; the networks see 700 pairs. A tenth of these chooses the weights;
the 100 dev pairs are searched once for each seed. Beside it the same network on the words of the captions: what a
perfect recognizer would give. Chance finds 10 % among 10; the probability that chance does as well is by 10,000 random
pairings of all seeds' similarities, both ways together.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import record
from translation_world import onsei, read

BARS = {"times_chance": 1.5}
CEILINGS = {"p": 0.01}
GROUND = (
    *("--embedding-dim", 64, "--units.width", 96, "--units.dropout", 0.3, "--image.width", 64, "--image.layers", 1),
    *("--image.dropout", 0.2, "--learning-rate", 1e-3, "--weight-decay", 0.1, "--batch-size", 64, "--substitute", 0.1),
    *("--augment.drop", 0.1, "--masks", 2, "--max-units", 600, "--epochs", 12, "--threads", 0),
    *("--image.stem", "patches", "--alike", 0),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=record.ROOT.parent / "shared" / "data" / "flickr1k")
    parser.add_argument("--work", type=Path, default=Path("runs/translation-flickr"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--json", type=Path)
    options, extra = parser.parse_known_args()
    speech = encoded(options.data, options.work)
    words = spelled(options.data, options.work)
    result: dict[str, Any] = {}
    for name, rows in (("speech", speech), ("text", words)):
        result[name] = {str(seed): one(rows, options.work / name / str(seed), seed, extra) for seed in options.seeds}
    found = [value for numbers in result["speech"].values() for value in (numbers["s2i_r10"], numbers["i2s_r10"])]
    upper = [value for numbers in result["text"].values() for value in (numbers["s2i_r10"], numbers["i2s_r10"])]
    chance = next(iter(result["speech"].values()))["s2i_r10_chance"]
    result |= {"r10": float(np.mean(found)), "r10_text": float(np.mean(upper)), "r10_chance": chance}
    result["times_chance"] = result["r10"] / chance
    result["p"] = together(
        [options.work / "speech" / str(seed) for seed in options.seeds], speech["dev"], result["r10"]
    )
    held = {name: result[name] >= bar for name, bar in BARS.items()}
    held |= {name: result[name] <= bar for name, bar in CEILINGS.items()}
    print({name: result[name] for name in ("r10", "r10_text", "r10_chance", "times_chance", "p")}, held)
    record.write(options.json, {**result, "bars": {**BARS, **CEILINGS}, "held": held})
    return 0 if all(held.values()) else 1


def encoded(data: Path, work: Path) -> dict[str, Path]:
    """Rows with units of clustered cepstra, by split."""
    units = work / "units"
    if not (units / "onsei.json").is_file():
        words = ("--features.kind", "mfcc", "--num-clusters", 200, "--epochs", 1, "--threads", 0)
        onsei("fit-units", "tiny", "--data-dir", data / "train.jsonl", "--output-dir", units, *words)
    for name in ("train", "dev"):
        onsei("encode", units, "--manifest", data / f"{name}.jsonl", "--output-dir", work / name)
    return {name: work / name / "units.jsonl" for name in ("train", "dev")}


def spelled(data: Path, work: Path) -> dict[str, Path]:
    """Rows whose units are the words of the captions that are in training twice or more."""
    rows = {
        name: [json.loads(line) for line in (data / f"{name}.jsonl").open(encoding="utf-8")]
        for name in ("train", "dev")
    }
    counts: dict[str, int] = {}
    for row in rows["train"]:
        for word in row["text"].lower().split():
            counts[word] = counts.get(word, 0) + 1
    known = {word: number for number, word in enumerate(sorted(w for w, n in counts.items() if n > 1))}
    made = {}
    for name, part in rows.items():
        made[name] = work / "text" / f"{name}.jsonl"
        made[name].parent.mkdir(parents=True, exist_ok=True)
        lines = []
        for row in part:
            units = [known[word] for word in row["text"].lower().split() if word in known]
            image = str((data / row["image"]).resolve())
            lines.append(json.dumps({"id": row["id"], "image": image, "units": units, "num_clusters": len(known)}))
        made[name].write_text("\n".join(lines) + "\n", encoding="utf-8")
    return made


def one(rows: dict[str, Path], folder: Path, seed: int, extra: list[str]) -> dict[str, Any]:
    """Numbers on the dev pairs."""
    if not (folder / "onsei.json").is_file():
        source = ("--train-manifest", rows["train"], "--output-dir", folder, "--seed", seed, "--silent")
        onsei("ground", "tiny", *source, *GROUND, *extra)
    onsei("evaluate", folder, "--test-manifest", rows["dev"], "--json", folder / "dev.json")
    return read(folder / "dev.json")


def together(cores: list[Path], rows: Path, found: float) -> float:
    """How likely random pairs, the same for all seeds and both ways, recall as much at 10 on the mean."""
    from onsei.data.manifest import Manifest
    from onsei.systems.translation.evaluation.searches import searched
    from onsei.systems.translation.ground.core import Core

    manifest = Manifest.open(rows)
    hits = []
    for core in cores:
        similarity = searched(Core.load(core, "cpu"), manifest).similarity
        for way in (similarity, similarity.T):
            order = np.argsort(np.argsort(-way, axis=1, kind="stable"), axis=1, kind="stable")
            hits.append((order < 10, way is not similarity))
    random, count, at_least = np.random.default_rng(0), 10_000, 1
    rows_ = np.arange(len(hits[0][0]))
    for _ in range(count):
        pairing = random.permutation(len(rows_))
        back = np.argsort(pairing)
        value = 100 * np.mean([hit[rows_, back if turned else pairing].mean() for hit, turned in hits])
        at_least += bool(value >= found - 1e-9)
    return at_least / (count + 1)


if __name__ == "__main__":
    sys.exit(main())
