"""Padding of duration buckets, and what the feature cache saves from the second epoch on.

    python benchmarks/loading.py --data ../shared/data/arctic_en --json benchmarks/results/loading.json

Loading is an epoch through the loader with one worker, nobody else waiting: decode, log spectrogram, pad, hand over.
One loader, whose worker is warm, runs all epochs of a round in turn: without cache, filling an empty cache, reading it.
Files are in the system's page cache. The bar is on the first epoch with a cache (which fills it) over the second; the
epoch without a cache over the second is the stricter ratio beside it. Medians over the rounds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

import record
from onsei.audio import io
from onsei.audio.features import LogSpectrogram
from onsei.data.cache import FeatureCache
from onsei.data.loader import Draw, Loader
from onsei.data.manifest import Manifest, Row
from onsei.data.sampler import BucketSampler

BAR_RATIO, BAR_WASTE, RATE = 3.0, 0.10, 16000
KINDS = ("without", "filling", "reading")


@dataclass(frozen=True)
class Prepare:
    """Epoch 3n + 1 has no cache, 3n + 2 fills an empty one, 3n + 3 reads it; epoch 0 warms up."""

    folder: Path

    @cached_property
    def front(self) -> LogSpectrogram:
        return LogSpectrogram(RATE)

    def __call__(self, row: Row, draw: Draw) -> torch.Tensor:
        if draw.epoch == 0 or draw.epoch % 3 == 1:
            return torch.from_numpy(self.made(row))
        cache = FeatureCache(self.folder / str((draw.epoch - 1) // 3), "log")
        return torch.from_numpy(np.array(cache.get(row, lambda: self.made(row))))

    def made(self, row: Row) -> Any:
        samples, _ = io.load(row.audio, RATE)
        return self.front(torch.from_numpy(samples)).numpy()


def collate(items: Sequence[torch.Tensor], faults: Sequence[Any]) -> torch.Tensor:
    assert not faults, faults
    return pad_sequence([item.T for item in items], batch_first=True)


def measure(manifest: Manifest, batch_seconds: float, rounds: int) -> dict[str, Any]:
    sampler = BucketSampler(manifest.durations, batch_seconds=batch_seconds, batch_size=64, seed=0)
    seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
    sums: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        loader = Loader(manifest, sampler, Prepare(Path(folder)), collate, workers=1)
        for epoch in range(1 + 3 * rounds):
            since = time.perf_counter()
            total = sum(float(batch.double().abs().sum()) for batch in loader.batches(epoch))
            if epoch:
                kind = KINDS[(epoch - 1) % 3]
                seconds[kind].append(time.perf_counter() - since)
                sums[kind] = total
        loader.close()
        size = FeatureCache(Path(folder) / "0", "log").size() / 2**20
    assert max(sums.values()) - min(sums.values()) < 1e-6 * max(sums.values()), "all epochs load the same features"
    medians = {kind: statistics.median(times) for kind, times in seconds.items()}
    waste = [sampler.survey(epoch).waste for epoch in range(5)]
    return {
        "rows": len(manifest),
        "seconds_of_sound": float(manifest.durations.sum()),
        "batch_seconds": batch_seconds,
        "batches": sampler.count(0),
        "padding_waste": max(waste),
        "cache_mib": size,
        **{f"epoch_seconds_{kind}": value for kind, value in medians.items()},
        "first_over_second": medians["filling"] / medians["reading"],
        "uncached_over_second": medians["without"] / medians["reading"],
        "rounds": seconds,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=record.ROOT.parent / "shared" / "data" / "arctic_en")
    parser.add_argument("--batch-seconds", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    found = measure(Manifest.open(chosen.data / "train.jsonl"), chosen.batch_seconds, chosen.rounds)
    for key, value in found.items():
        if not isinstance(value, dict):
            print(f"{key:28} {value:12.3f}")
    bars = {"first_over_second": BAR_RATIO, "padding_waste": BAR_WASTE}
    held = {
        "first_over_second": found["first_over_second"] >= BAR_RATIO,
        "padding_waste": found["padding_waste"] <= BAR_WASTE,
    }
    print("bars:", ", ".join(f"{name} {'held' if ok else 'MISSED'}" for name, ok in held.items()))
    record.write(chosen.json, {**found, "bars": bars, "held": held})
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
