"""How fast clips are classified, beside transformers' own pipeline with the very same network, folder and clips.

    python benchmarks/classify.py --json benchmarks/results/classify.json

Two networks with random weights, each in float32 and in bfloat16: the own network (recipe `base`) of ten classes, and
DistilHuBERT's shape (HuBERT with two layers). Each is saved as a model folder that both open. Clips of five seconds,
noise of a seed each, lie in memory at the network's rate. Both take them in blocks, in turns, in one process with as
many threads as there are cores, after one block that is not counted: the pipeline as it is called by default, that is
in float32 and one clip after another, then with `batch_size=8`, and in bfloat16 where onsei is. `ratio` is the time
that passes in the default call by ours, over all clips; beside it stand the ratios of the other calls, that of CPU
time, and the smallest and largest of the blocks. Probabilities of both are compared.

On a CPU without bfloat16 in hardware, torch takes many times as long in it as in float32; onsei then rounds the weights
to bfloat16 and computes in float32, and the result says so (`bfloat16_in_hardware`).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import onsei  # noqa: F401  (makes transformers know the own network)
import record
from onsei.config import to_dict
from onsei.hub import store
from onsei.nn.device import has_bfloat16
from onsei.systems.classification.config import Features, Model
from onsei.systems.classification.foreign import open_classifier
from onsei.systems.classification.model import MelClassifier
from onsei.systems.classification.stock import describing

BARS = {"own": 3.0, "distilhubert": 1.1, "distilhubert_bf16": 1.5}
NETWORKS = ("own", "own_bf16", "distilhubert", "distilhubert_bf16")
SECONDS, CLASSES = 5.0, 10
LABELS = tuple(f"class {number}" for number in range(CLASSES))
TOLERANCE = {"float32": 1e-4, "bfloat16": 2e-2}
Spent = tuple[float, float]
"""Seconds that passed, and seconds of CPU time."""


def own(folder: Path) -> Path:
    """The own network as `train` would save it."""
    torch.manual_seed(0)
    model, features = Model(), Features()
    network = MelClassifier(model, features.n_mels, CLASSES)
    for part in network.modules():  # statistics as of a trained network: not 0 and 1
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 1.5)
    config = {"features": to_dict(features), "model": to_dict(model), "encoder": {}}
    files = describing.files(model, features, LABELS)
    return store.save(
        folder, system="classification", stage="train", config=config, weights=network.state_dict(), labels=LABELS,
        files=dict(files),
    )  # fmt: skip


def distilhubert(folder: Path) -> Path:
    """DistilHuBERT's shape with a head, as transformers saves it."""
    from transformers import HubertConfig, HubertForSequenceClassification, Wav2Vec2FeatureExtractor

    torch.manual_seed(0)
    names = dict(enumerate(LABELS))
    config = HubertConfig(num_hidden_layers=2, id2label=names, label2id={name: n for n, name in names.items()})
    HubertForSequenceClassification(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True).save_pretrained(folder)
    return folder


def clip(number: int, rate: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    draw = np.random.default_rng(number)
    return (0.1 * draw.standard_normal(round(SECONDS * rate))).astype(np.float32)


def timed(work: Callable[[], Any]) -> tuple[Spent, Any]:
    wall, processor = time.perf_counter(), time.process_time()
    made = work()
    return (time.perf_counter() - wall, time.process_time() - processor), made


def compare(folder: Path, clips: int, block: int, dtype: str) -> dict[str, Any]:
    from transformers import pipeline

    def stock(format_: str) -> Any:
        named = {"model": str(folder), "device": "cpu", "dtype": getattr(torch, format_), "trust_remote_code": False}
        return pipeline("audio-classification", **named)

    ours, plain = open_classifier(folder, "cpu", dtype), stock("float32")
    calls = {
        "default": lambda sounds: plain(list(sounds), top_k=CLASSES),
        "batches_of_8": lambda sounds: plain(list(sounds), top_k=CLASSES, batch_size=8),
    }
    if dtype != "float32":
        same = stock(dtype)
        calls["same_format"] = lambda sounds: same(list(sounds), top_k=CLASSES)
    first = [clip(10**6 + number, ours.sample_rate) for number in range(block)]
    for warm in (ours.probabilities, *calls.values()):
        warm(first)
    spent: dict[str, list[Spent]] = {"ours": [], **{name: [] for name in calls}}
    apart = 0.0
    for start in range(0, clips, block):
        sounds = [clip(number, ours.sample_rate) for number in range(start, min(start + block, clips))]
        mine, rows = timed(lambda sounds=sounds: ours.probabilities(sounds))
        spent["ours"].append(mine)
        for name, call in calls.items():
            other, answers = timed(lambda sounds=sounds, call=call: call(sounds))
            spent[name].append(other)
            for row, answer in zip(rows, answers, strict=True):
                found = {one["label"]: one["score"] for one in answer}
                apart = max(apart, *(abs(found[label] - float(p)) for label, p in zip(ours.labels, row, strict=True)))
    wall, processor = ({name: [one[clock] for one in times] for name, times in spent.items()} for clock in (0, 1))
    blocks = [other / mine for mine, other in zip(wall["ours"], wall["default"], strict=True)]
    ratios = {name: sum(wall[name]) / sum(wall["ours"]) for name in calls}
    return {
        "clips": clips,
        "ratio": ratios.pop("default"),
        **{f"ratio_to_{name}": ratio for name, ratio in ratios.items()},
        "ratio_of_cpu_time": sum(processor["default"]) / sum(processor["ours"]),
        "smallest_of_a_block": min(blocks),
        "largest_of_a_block": max(blocks),
        "clips_a_second": clips / sum(wall["ours"]),
        "clips_a_second_pipeline": clips / sum(wall["default"]),
        "largest_difference": apart,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=1000, help="of the networks in float32")
    parser.add_argument("--clips-bf16", type=int, default=1000, help="in bfloat16: fewer where it is slow")
    parser.add_argument("--block", type=int, default=125)
    parser.add_argument("--only", choices=NETWORKS, nargs="*", default=NETWORKS)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen.only:
            made = (own if name.startswith("own") else distilhubert)(Path(folder) / name)
            dtype = "bfloat16" if name.endswith("bf16") else "float32"
            clips = chosen.clips_bf16 if dtype == "bfloat16" else chosen.clips
            found[name] = compare(made, clips, min(chosen.block, clips), dtype)
            assert found[name]["largest_difference"] < TOLERANCE[dtype], "both must give the same answers"
            print(name, {key: round(value, 4) for key, value in found[name].items()}, flush=True)
    hardware = has_bfloat16(torch.device("cpu"))
    held = {name: found[name]["ratio"] >= bar for name, bar in BARS.items() if name in found}
    print("bars:", ", ".join(f"{name} {'held' if ok else 'MISSED'}" for name, ok in held.items()))
    record.write(
        chosen.json,
        {
            **found,
            "seconds_of_a_clip": SECONDS,
            "threads": chosen.threads,
            "bfloat16_in_hardware": hardware,
            "bars": BARS,
            "held": held,
        },
    )
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
