"""Vocoders of half an hour and less on CMU Arctic: against Griffin-Lim, and the fast head against HiFi-GAN V1.

    python benchmarks/vocoder_arctic.py v3 --json benchmarks/results/vocoder_arctic.json
    python benchmarks/vocoder_arctic.py light --json benchmarks/results/vocoder_light.json
    python benchmarks/vocoder_arctic.py fast --json benchmarks/results/vocoder_fast.json

`v3` trains a HiFi-GAN V3 for 30 minutes, `light` a fast head of its size; `fast` trains the fast head and V1 for equal
minutes. A few steps are timed first, which decides how many steps fit; a part of the training rows chooses the
checkpoint, and the dev split is measured once, at the end, also after 30 iterations of Griffin-Lim from the network's
sound (`refined`) beside 60 from the mel alone. Minutes are wall-clock minutes of `onsei vocoder train`: one process
computes, one prepares segments. The discriminators stay out (--critics-from below 1 brings them in): on a CPU a step
with them takes two to four times as long, and in half an hour they have no time to pay for it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import onsei
import record
from onsei import config
from onsei.systems.vocoder.config import Train

MEL = {"sample_rate": 16000, "f_max": None}
V3 = {
    "resblock": "2",
    "upsample_initial_channel": 256,
    "resblock_kernel_sizes": [3, 5, 7],
    "resblock_dilation_sizes": [[1, 2], [2, 6], [3, 12]],
}
LIGHT = config.from_recipe(Train, Path(onsei.__file__).parent / "systems" / "vocoder" / "recipes" / "light.yaml")
NETWORKS: dict[str, Any] = {
    "v1": {},
    "v3": {"generator": V3},
    "head": {"kind": "istft"},
    "light": config.to_dict(LIGHT.network),  # 1.4 M parameters, as V3
}
RATES = {"v1": 4e-4, "v3": 8e-4, "head": 8e-4, "light": 1e-3}
VALIDATIONS = 6
REFINE = 30
"""Half the iterations of the Griffin-Lim beside it."""
ONSEI = [sys.executable, "-m", "onsei"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("v3", "light", "fast"))
    parser.add_argument("--data", type=Path, default=record.ROOT.parent / "shared" / "data" / "arctic_en")
    parser.add_argument("--keep", type=Path, help="folder to keep the runs in")
    parser.add_argument("--minutes", type=float, help="of training each: 30 for v3 and light, 12 for fast")
    parser.add_argument("--limit", type=int, default=0, help="dev clips to measure; 0: all")
    parser.add_argument("--critics-from", type=float, default=1.0, help="part of the steps before the discriminators")
    parser.add_argument("--spectral", type=float, default=0.0, help="weight of the multi-resolution STFT loss")
    parser.add_argument("--threads", type=int, default=1, help="of the process that computes")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    minutes = chosen.minutes or {"fast": 12.0}.get(chosen.what, 30.0)
    with tempfile.TemporaryDirectory() as name:
        folder = chosen.keep or Path(name)
        names = ("head", "v1") if chosen.what == "fast" else (chosen.what,)
        found = {one: measured(one, chosen, folder, minutes) for one in names}
    results: dict[str, Any] = {}
    for one, numbers in found.items():
        results |= {f"{one}_{key}": value for key, value in numbers.items()}
    if chosen.what != "fast":
        own, baseline = chosen.what, f"{chosen.what}_griffin_lim"
        held = {
            "mel_l1_below_griffin_lim": results[f"{own}_mel_l1"] < results[f"{baseline}_mel_l1"],
            "stoi_above_griffin_lim": results[f"{own}_stoi"] > results[f"{baseline}_stoi"],
            "refined_mel_l1_below_griffin_lim": results[f"{own}_refined_mel_l1"] < results[f"{baseline}_mel_l1"],
            "refined_stoi_above_griffin_lim": results[f"{own}_refined_stoi"] > results[f"{baseline}_stoi"],
        }
    else:
        held = {
            "head_mel_l1_no_worse": results["head_mel_l1"] <= results["v1_mel_l1"],
            "head_stoi_no_worse": results["head_stoi"] >= results["v1_stoi"],
        }
    print(json.dumps({**results, "held": held}, indent=1))
    settings = {"critics_from": chosen.critics_from, "spectral": chosen.spectral, "threads": chosen.threads}
    record.write(chosen.json, {**results, "minutes": minutes, **settings, "held": held})
    return 0 if all(held.values()) else 1


def measured(name: str, chosen: argparse.Namespace, folder: Path, minutes: float) -> dict[str, Any]:
    """Train the network ``name`` for ``minutes`` and measure it on the dev split, with Griffin-Lim beside it."""
    parts, data, share = folder / "parts", chosen.data, chosen.critics_from
    if not parts.exists():
        words = ["data", "split", str(data / "train.jsonl"), "--output-dir", str(parts), "--val", "6", "--seed", "0"]
        subprocess.run([*ONSEI, *words], check=True)
    each = seconds_a_step(name, parts, folder / f"{name}-time", chosen, critics_from=10**6)
    if share < 1:
        judged = seconds_a_step(name, parts, folder / f"{name}-time-critics", chosen, critics_from=0)
        each = share * each + (1 - share) * judged
    steps = max(10, int(0.95 * minutes * 60 / each))
    run, scores = folder / name, folder / f"{name}.json"
    began = time.perf_counter()
    train(name, parts, run, steps, chosen, critics_from=int(share * steps), every=max(1, steps // VALIDATIONS))
    spent = (time.perf_counter() - began) / 60
    words = [str(run), "--test-manifest", str(data / "dev.jsonl"), "--json", str(scores), "--limit", str(chosen.limit)]
    words += ["--refine", str(REFINE)]
    page = ["--page", str(folder / f"{name}.html")]
    subprocess.run([*ONSEI, "vocoder", "evaluate", *words], check=True)
    subprocess.run([*ONSEI, "vocoder", "evaluate", *words[:3], *page, "--limit", "3", "--no-baseline"], check=True)
    numbers = json.loads(scores.read_text(encoding="utf-8"))
    return {"train_minutes": round(spent, 1), "steps": steps, "seconds_a_step": round(each, 4), **numbers}


def seconds_a_step(name: str, parts: Path, run: Path, chosen: argparse.Namespace, *, critics_from: int) -> float:
    """Median seconds of the last of twelve training steps."""
    train(name, parts, run, 12, chosen, critics_from=critics_from, every=12)
    lines = map(json.loads, (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    times = [line["seconds"] for line in lines if "val/loss" not in line]
    gaps = sorted(after - before for before, after in pairwise(times[3:]))
    return gaps[len(gaps) // 2]


def train(
    name: str, parts: Path, run: Path, steps: int, chosen: argparse.Namespace, *, critics_from: int, every: int
) -> None:
    options = {
        "extends": "base",
        "mel": MEL,
        "network": NETWORKS[name],
        "critics": {"mpd_width": 0.0625, "msd_width": 0.0625},
        "losses": {"critics_from": critics_from, "spectral": chosen.spectral},
        "data": {"batch_size": 4, "num_workers": 1, "val_seconds": 3},
        "optimization": {"learning_rate": RATES[name]},
        "training": {
            "threads": chosen.threads, "epochs": 100000, "max_steps": steps, "schedule": "cosine", "max_norm": 200,
            "warmup_steps": min(100, steps // 4), "validate_steps": every, "keep": VALIDATIONS + 1,
            "estimate_memory": False,
        },
    }  # fmt: skip
    recipe = run.with_suffix(".yaml")
    recipe.parent.mkdir(parents=True, exist_ok=True)
    recipe.write_text(json.dumps(options), encoding="utf-8")
    words = ["--train-manifest", str(parts / "train.jsonl"), "--val-manifest", str(parts / "val.jsonl")]
    subprocess.run([*ONSEI, "vocoder", "train", str(recipe), *words, "--output-dir", str(run)], check=True)


if __name__ == "__main__":
    sys.exit(main())
