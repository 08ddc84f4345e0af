"""Time and memory of a long manifest through the real sampler and loader, shuffled, with two workers.

    python benchmarks/manifest_rows.py --rows 10000000 --json benchmarks/results/manifest_rows.json

The manifest is made in a temporary folder (150 bytes a row). Its index is built once; then a fresh process imports all
it needs and takes the time to the first batch; three such processes, of which the worst counts. Rows are read, not the
sound they name. Memory, by the kernel's smaps_rollup: the sum of Private_Clean and Private_Dirty over the process and
all its children (workers and the server that they are forked from) above what the process alone had after its imports.
Pages that only workers and server share are private to none of them: the sum of proportional shares (Pss), which holds
them, stands beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import record

BAR_SECONDS, BAR_MIB = 5.0, 200.0
BATCHES, REPEATS = 300, 3
_BLOCK = 100_000


def make_manifest(path: Path, rows: int) -> None:
    import numpy as np

    chance = np.random.default_rng(0)
    text = "it was the best of times and it was the worst of times"
    with path.open("w", encoding="utf-8") as file:
        for first in range(0, rows, _BLOCK):
            seconds = np.round(chance.gamma(4.0, 2.0, _BLOCK) + 0.5, 3).tolist()
            file.writelines(
                f'{{"id": "u{n:09d}", "audio": "{n % 1000:03d}/u{n:09d}.flac", "duration": {s}, "text": "{text}"}}\n'
                for n, s in zip(range(first, min(first + _BLOCK, rows)), seconds, strict=False)
            )


def memory(key: str, pids: list[int]) -> float:
    """Sum in MiB of the lines of smaps_rollup that start with ``key``."""
    total = 0
    for pid in pids:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        total += sum(int(line.split()[1]) for line in lines[1:] if line.startswith(key))
    return total / 1024


def prepare(row: Any, draw: Any) -> Any:
    return row.id, draw.generator().standard_normal(4)


def collate(items: Any, faults: Any) -> Any:
    import numpy as np
    import torch

    assert not faults
    return [name for name, _ in items], torch.from_numpy(np.stack([values for _, values in items]))


def build(path: Path) -> dict[str, float]:
    import resource

    from onsei.data.manifest import Manifest

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    since = time.perf_counter()
    Manifest.open(path)
    seconds = time.perf_counter() - since
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return {"index_seconds": seconds, "index_peak_mib": peak}


def measure(path: Path, workers: int) -> dict[str, float]:
    import psutil
    import torch

    import onsei.data.loader as loaders
    from onsei.data.manifest import Manifest
    from onsei.data.sampler import BucketSampler

    torch.set_num_threads(1)
    me = os.getpid()
    baseline = {key: memory(key, [me]) for key in ("Private_", "Pss:")}
    since = time.perf_counter()
    manifest = Manifest.open(path)
    sampler = BucketSampler(manifest.durations, batch_seconds=240, batch_size=64, seed=0)
    loader = loaders.Loader(manifest, sampler, prepare, collate, workers=workers)
    batches = loader.batches(0)
    next(batches)
    found = {"rows": float(len(manifest)), "first_batch_seconds": time.perf_counter() - since}

    def above(name: str) -> None:
        family = [me, *(child.pid for child in psutil.Process(me).children(recursive=True))]
        found[f"private_mib_{name}"] = memory("Private_", family) - baseline["Private_"]
        found[f"pss_mib_{name}"] = memory("Pss:", family) - baseline["Pss:"]
        found["processes"] = float(len(family))

    above("first_batch")
    since = time.perf_counter()
    found["batches"] = float(loader.count(0))
    found["count_seconds"] = time.perf_counter() - since
    for _, _ in zip(range(BATCHES), batches, strict=False):
        pass
    above(f"{BATCHES}_batches")
    loader.close()
    return found


def fresh(path: Path, what: str, workers: int) -> Any:
    words = [sys.executable, __file__, what, str(path), "--workers", str(workers)]
    done = subprocess.run(words, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def run(rows: int, workers: int, folder: Path | None) -> dict[str, Any]:
    place = Path(tempfile.mkdtemp(dir=folder))
    free, needed = shutil.disk_usage(place).free, rows * 200
    try:
        if free < needed:
            raise SystemExit(f"{place}: {needed >> 20} MiB needed, {free >> 20} free; choose another --folder")
        path = place / "long.jsonl"
        make_manifest(path, rows)
        built = fresh(path, "--build", workers)
        runs = [fresh(path, "--measure", workers) for _ in range(REPEATS)]
        worst = {key: max(each[key] for each in runs) for key in runs[0]}
        about = {"workers": workers, "manifest_mib": path.stat().st_size / 2**20}
        return {**worst, **built, **about, "first_batch_seconds_each": [each["first_batch_seconds"] for each in runs]}
    finally:
        shutil.rmtree(place)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where the manifest is made; default the system's temporary folder")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--build", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.build:
        print(json.dumps(build(chosen.build)))
        return 0
    if chosen.measure:
        print(json.dumps(measure(chosen.measure, chosen.workers)))
        return 0
    found = run(chosen.rows, chosen.workers, chosen.folder)
    most = max(found[key] for key in found if key.startswith("private_mib"))
    bars = {"first_batch_seconds": found["first_batch_seconds"] <= BAR_SECONDS, "private_mib": most <= BAR_MIB}
    for key, value in found.items():
        shown = ", ".join(f"{v:.2f}" for v in (value if isinstance(value, list) else [value]))
        print(f"{key:28} {shown:>12}")
    print("bars:", ", ".join(f"{name} {'held' if held else 'MISSED'}" for name, held in bars.items()))
    record.write(
        chosen.json, {**found, "bars": {"first_batch_seconds": BAR_SECONDS, "private_mib": BAR_MIB}, "held": bars}
    )
    return 0 if all(bars.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
