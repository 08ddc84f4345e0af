"""What augmentation costs of the loader's throughput: each kind by itself, and a full set.

    python benchmarks/augment.py --data ../shared/data/arctic_en --json benchmarks/results/augment.json

Loading is an epoch through recognition's loader: decode, change, log spectrogram, pad, hand over, with nobody else
waiting. Each set of options has a loader of its own; in every round each loads an epoch, in turn, so that other
programs meet all alike. Files are in the system's page cache. The first epoch is told apart; those after it fill the
workers' caches of noise and rooms, as the first ten of a training do, and are not counted. The cost of a set is the
share of utterances a second that it loses beside the loader without augmentation, in the same round; the bar is on
the median of the full set. The cost in the workers' processor seconds stands beside it: it is less disturbed by other
programs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

import psutil
import torch

import record
from onsei.data.loader import Loader
from onsei.data.manifest import Manifest
from onsei.systems.recognition.config import Augment, Data, Features
from onsei.systems.recognition.data import Preparation, source
from onsei.text.alphabet import ENGLISH, Alphabet

BAR = 0.15
WARM = 12
"""The first epoch that is counted: by then each worker has read nearly all 320 noises of the folder."""
SHARED = record.ROOT.parent / "shared" / "data"


def sets(noise: Path) -> dict[str, Augment]:
    """The sets of options by name. The probabilities are what a user would train with."""
    return {
        "none": Augment(),
        "full": Augment(spec_augment=True, speed_volume_perturb=True, noise_dir=noise, reverb_prob=0.3),
        "spec_augment": Augment(spec_augment=True),
        "speed_volume_perturb": Augment(speed_volume_perturb=True),
        "noise_dir": Augment(noise_dir=noise),
        "colored_noise": Augment(noise_prob=0.4),
        "reverb": Augment(reverb_prob=0.3),
        "gain": Augment(gain=6.0),
        "tempo": Augment(tempo=0.15),
        "tempo_samples": Augment(tempo=0.15, tempo_method="samples"),
        "speed": Augment(speed=0.1),
        "warp_tilt": Augment(warp=0.1, tilt=0.3),
    }


def worker_seconds() -> float:
    """Processor seconds of all worker processes so far."""
    return sum(sum(child.cpu_times()[:2]) for child in psutil.Process().children(recursive=True))


def epoch(loader: Loader[Any, Any], number: int) -> tuple[float, float, int]:
    """Seconds, processor seconds of the workers, and utterances of an epoch."""
    cpu, since = worker_seconds(), time.perf_counter()
    count = 0
    for batch in loader.batches(number):
        assert not batch.faults, batch.faults
        count += batch.size
    return time.perf_counter() - since, worker_seconds() - cpu, count


def measure(manifest: Manifest, chosen: dict[str, Augment], workers: int, rounds: int) -> dict[str, Any]:
    alphabet, features, data = Alphabet(ENGLISH, "upper", "characters"), Features(), Data(batch_size=20)
    loaders = {
        name: source(manifest, Preparation(alphabet, features, augment), data, seed=0, training=True, workers=workers)
        for name, augment in chosen.items()
    }
    first = {name: epoch(loader, 1)[0] for name, loader in loaders.items()}
    for name in loaders:
        for number in range(2, WARM):
            epoch(loaders[name], number)
    found: dict[str, list[tuple[float, float, int]]] = {name: [] for name in loaders}
    for turn in range(rounds):
        names = list(loaders)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            found[name].append(epoch(loaders[name], WARM + turn))
    for loader in loaders.values():
        loader.close()
    plain = found["none"]
    results: dict[str, Any] = {"rows": len(manifest), "workers": workers, "rounds": rounds}
    results["utterances_per_second"] = statistics.median(count / seconds for seconds, _, count in plain)
    for name in list(loaders)[1:]:
        pairs = list(zip(plain, found[name], strict=True))
        results[f"cost_{name}"] = statistics.median(1 - base[0] / other[0] for base, other in pairs)
        results[f"cpu_cost_{name}"] = statistics.median(1 - base[1] / other[1] for base, other in pairs)
        results[f"first_epoch_cost_{name}"] = 1 - first["none"] / first[name]
    results["seconds"] = {name: [one[0] for one in times] for name, times in found.items()}
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=SHARED / "arctic_en")
    parser.add_argument("--noise", type=Path, default=SHARED / "esc10" / "audio")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    wanted = {name: o for name, o in sets(chosen.noise).items() if not chosen.only or name in ("none", *chosen.only)}
    found = measure(Manifest.open(chosen.data / "train.jsonl"), wanted, chosen.workers, chosen.rounds)
    for key, value in found.items():
        if not isinstance(value, dict):
            print(f"{key:40} {value:10.3f}")
    held = found.get("cost_full", 0.0) <= BAR
    print("bar:", "held" if held else "MISSED")
    record.write(chosen.json, {**found, "bars": {"cost_full": BAR}, "held": {"cost_full": held}})
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
