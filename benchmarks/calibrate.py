"""Time a fixed matrix product and a fixed LSTM: the scale by which times of other benchmarks can be read.

    python benchmarks/calibrate.py [--json FILE]

Bars in minutes are meant for a quiet machine with two Zen 4 cores, whose times are not known. REFERENCE is of two cores
of another kind (AMD EPYC, family 26) that other work shared (load about 4): too slow for that kind, most of all with
two threads, which had no second core to themselves. Quote the quotient of two runs, not the milliseconds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

import record

REPEATS = 9
SIZE = 1024
FRAMES, BATCH, FEATURES, HIDDEN = 100, 8, 161, 256
REFERENCE = {
    "matmul_1_thread": 20.4,
    "lstm_1_thread": 65.7,
    "matmul_2_threads": 20.5,
    "lstm_2_threads": 81.2,
}
"""Milliseconds: the best of four runs."""


def times(work: Callable[[], object]) -> list[float]:
    """Milliseconds of each repetition of ``work``, after two that are not counted."""
    found = []
    for number in range(REPEATS + 2):
        since = time.perf_counter()
        work()
        if number >= 2:
            found.append(1000 * (time.perf_counter() - since))
    return found


def product() -> Callable[[], object]:
    """A product of two square matrices of 32-bit numbers."""
    a, b = torch.randn(2, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    return lambda: a @ b


def lstm() -> Callable[[], object]:
    """Forward and backward pass of a bidirectional LSTM of two layers."""
    torch.manual_seed(0)
    network = torch.nn.LSTM(FEATURES, HIDDEN, num_layers=2, bidirectional=True)
    x = torch.randn(FRAMES, BATCH, FEATURES)

    def work() -> None:
        network.zero_grad()
        network(x)[0].square().mean().backward()

    return work


def measure() -> dict[str, float]:
    results = {}
    for threads, words in ((1, "1_thread"), (2, "2_threads")):
        torch.set_num_threads(threads)
        for name, work in ((f"matmul_{words}", product()), (f"lstm_{words}", lstm())):
            found = times(work)
            results[f"{name}_best_ms"] = round(min(found), 2)
            results[f"{name}_median_ms"] = round(statistics.median(found), 2)
            results[f"{name}_per_reference"] = round(min(found) / REFERENCE[name], 3)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the numbers, the machine and the commit to this file")
    options = parser.parse_args()
    results = measure()
    for name, value in results.items():
        print(f"{name:32} {value:10.3f}")
    record.write(options.json, results)


if __name__ == "__main__":
    main()
