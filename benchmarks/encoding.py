"""Units of a corpus: the whole of `encode` against the network alone on sounds that lie ready in memory.

python benchmarks/encoding.py --json benchmarks/results/encoding.json

A network of wav2vec 2.0's kind with random weights hears made sounds of 1 to 9 s, stored as FLAC at 16 kHz. Network
alone and whole verb hear the same batches in turn, on one thread for the network and one that reads ahead. The bar:
the verb reaches 90 % of the network's own speed; and its memory does not grow with the corpus: the peak of four times
the rows is within 5 % and 20 MiB of the peak of the fewer.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import record
from onsei.audio import io
from onsei.data import manifest
from onsei.data.manifest import Manifest
from onsei.data.row import Row
from onsei.systems.translation.acoustic import encode as encoding
from onsei.systems.translation.acoustic.encode import Writing
from onsei.systems.translation.acoustic.listener import Listener
from onsei.systems.translation.acoustic.training import fit_units
from onsei.systems.translation.config.pretrain import Crops, Network, Optimizer, Pretrain, Task
from onsei.systems.translation.config.units import Encode, FitUnits, Units
from onsei.systems.translation.pretrain.training import pretrain
from onsei.training.options import Training
from onsei.units.spectral import RATE

BARS = {"speed": 0.9, "memory_mib": 20.0, "memory_share": 1.05}
QUIET = Training(epochs=1, max_steps=1, silent=True, device="cpu", threads=1, estimate_memory=False)


def corpus(folder: Path, count: int) -> Path:
    random = np.random.default_rng(0)
    rows = []
    for number in range(count):
        samples = 0.1 * random.standard_normal(int(random.uniform(1, 9) * RATE))
        path = folder / f"{number}.flac"
        io.save(path, samples.astype(np.float32), RATE)
        rows.append(Row(str(number), path, len(samples) / RATE))
    manifest.write(folder / "train.jsonl", rows)
    return folder / "train.jsonl"


def model(folder: Path, rows: Path, hidden: int, layers: int) -> Path:
    clock = replace(QUIET, monitor="val/score")
    sizes = Network(frontend="wave", hidden_size=hidden, layers=layers, intermediate_size=4 * hidden, conv_dim=128)
    data = Crops(batch_size=2)
    pretrain(Pretrain(rows, folder / "base", None, sizes, Task(), data, Optimizer(), clock))
    units = Units(num_clusters=64, sample=5000)
    options = FitUnits(rows, folder / "units", str(folder / "base"), units=units, data=data, training=QUIET)
    fit_units(options)
    return folder / "units"


def alone(listener: Listener, rows: Manifest) -> float:
    """Seconds of the network for all rows, in the verb's own batches."""
    loaded = [encoding._loaded(rows, number) for number in range(len(rows))]
    total = 0.0
    for first in range(0, len(loaded), encoding._CHUNK):
        chunk = [(n, row, sound) for n, (row, sound) in enumerate(loaded[first : first + encoding._CHUNK])]
        for batch in encoding._batches(chunk, 120.0):  # type: ignore[arg-type]
            since = time.perf_counter()
            listener.batch([sound for _, _, sound in batch])
            total += time.perf_counter() - since
    return total


def whole(listener: Listener, rows: Manifest, options: Encode) -> float:
    since = time.perf_counter()
    Writing(listener, rows, replace(options, force=True)).run()
    return time.perf_counter() - since


def peak(folder: Path, rows: Path, output: Path) -> float:
    """Peak memory of the verb in a process of its own, in MiB."""
    code = (
        "import sys, resource\nfrom onsei import cli\n"
        "cli.main(['translation', 'encode', sys.argv[1], '--manifest', sys.argv[2], '--output-dir', sys.argv[3]])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    command = [sys.executable, "-c", code, str(folder), str(rows), str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hidden-size", type=int, default=256)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    results: dict[str, Any] = {"rows": chosen.rows}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = corpus(folder / "sounds", chosen.rows)
        trained = model(folder, rows, chosen.hidden_size, chosen.layers)
        listener, opened = Listener.load(trained, "cpu"), Manifest.open(rows)
        options = Encode(trained, manifest=rows, output_dir=folder / "out")
        (folder / "out").mkdir()
        times: dict[str, list[float]] = {"network": [], "verb": []}
        for number in range(chosen.rounds + 1):
            network, verb = alone(listener, opened), whole(listener, opened, options)
            if number:
                times["network"].append(network)
                times["verb"].append(verb)
        shares = [a / b for a, b in zip(times["network"], times["verb"], strict=True)]
        seconds = float(np.sum(opened.durations, dtype=np.float64))
        few = folder / "sounds" / "few.jsonl"
        manifest.write(few, [opened[n] for n in range(chosen.rows // 4)])
        memory = {"few": peak(trained, few, folder / "few"), "all": peak(trained, rows, folder / "all")}
    results |= {
        "share_of_network_speed": statistics.median(shares),
        "shares": shares,
        "audio_seconds_per_second": seconds / statistics.median(times["verb"]),
        "peak_mib": memory,
        "own_peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "bars": BARS,
    }
    grown = memory["all"] - memory["few"]
    held = {
        "speed": results["share_of_network_speed"] >= BARS["speed"],
        "memory": grown <= BARS["memory_mib"] or memory["all"] <= BARS["memory_share"] * memory["few"],
    }
    print(f"share of the network's speed {results['share_of_network_speed']:.3f}; peak {memory} MiB")
    print("bars:", ", ".join(f"{name} {'held' if ok else 'MISSED'}" for name, ok in held.items()))
    record.write(chosen.json, {**results, "held": held})
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
