"""Steps of wav2vec 2.0 pretraining: bucketed batches against the usual padding, in seconds of sound a second.

python benchmarks/pretraining.py --data mboshi_fr --json benchmarks/results/pretraining.json

The other scheme is that of transformers' own pretraining script, which the original follows: rows in a random order,
each batch padded to its longest row with an attention mask, masks and negatives by transformers' functions, and the
loss by its `Wav2Vec2ForPreTraining`. Both train the same network from the same weights by the same optimizer on the
same rows; steps alternate, loading is left out of the times of both. `same_step` is the padded scheme with our loss
in place of transformers', so that what batches alone bring can be read off. The bar is 1.3 times the audio.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import Wav2Vec2ForPreTraining
from transformers.models.wav2vec2.modeling_wav2vec2 import _compute_mask_indices, _sample_negative_indices

import record
from onsei.audio import io
from onsei.data.manifest import Manifest
from onsei.systems.translation.config.pretrain import Crops, Network, Task
from onsei.systems.translation.data.pieces import Pieces, source
from onsei.systems.translation.pretrain.build import planned
from onsei.systems.translation.pretrain.learner import standardized
from onsei.units.pretraining import masks, sample_negatives
from onsei.units.spectral import RATE

BAR = 1.3


def padded(rows: Manifest, size: int, longest: float, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Samples and lengths of batches in a random order, each padded to its longest row."""
    order = np.random.default_rng(seed).permutation(len(rows))
    for first in range(0, len(order) - size + 1, size):
        sounds = [io.load(rows[int(n)].audio, RATE)[0][: int(longest * RATE)] for n in order[first : first + size]]
        lengths = torch.tensor([len(sound) for sound in sounds])
        samples = torch.zeros(size, int(lengths.max()))
        for row, sound in zip(samples, sounds, strict=True):
            row[: len(sound)] = standardized(torch.from_numpy(sound)[None])[0]
        yield samples, lengths


def their_loss(model: Any, samples: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    attention = (torch.arange(samples.shape[1]) < lengths[:, None]).long()
    frames = int(model._get_feat_extract_output_lengths(samples.shape[1]))
    reduced = model._get_feature_vector_attention_mask(frames, attention)
    shape = (len(samples), frames)
    mask = _compute_mask_indices(shape, 0.65, 10, attention_mask=reduced, min_masks=2)
    negatives = _sample_negative_indices(shape, 100, mask_time_indices=mask)
    mask_tensor = torch.from_numpy(mask)
    out = model(
        samples,
        attention_mask=attention,
        mask_time_indices=mask_tensor,
        sampled_negative_indices=torch.from_numpy(negatives),
    )
    return out.loss / mask_tensor.sum()


def our_loss(model: Any, samples: torch.Tensor) -> torch.Tensor:
    frames = int(model._get_feat_extract_output_lengths(samples.shape[1]))
    mask = masks(len(samples), frames, 0.65, 10)
    loss: torch.Tensor = model(samples, mask, sample_negatives(mask, 100)).loss
    return loss


def timed(model: Any, optimizer: Any, loss: Any) -> float:
    since = time.process_time()
    optimizer.zero_grad()
    loss().backward()
    optimizer.step()
    return time.process_time() - since


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data",
        type=Path,
        default=record.MBOSHI,
    )
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--hidden-size", type=int, default=128)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    if not (chosen.data / "train.jsonl").is_file():
        parser.error("--data: name a folder with train.jsonl")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = Manifest.open(chosen.data / "train.jsonl")
    network = Network(frontend="wave", hidden_size=chosen.hidden_size, layers=chosen.layers)
    plan = planned(network, Task())
    ours, _ = plan.build(Task(), None)
    theirs = Wav2Vec2ForPreTraining(plan.config)
    theirs.load_state_dict(ours.state_dict())
    same = copy.deepcopy(ours)
    models = {"ours": ours.train(), "padded": theirs.train(), "same_step": same.train()}
    optimizers = {name: torch.optim.AdamW(model.parameters(), lr=1e-5) for name, model in models.items()}
    crops = Crops(batch_size=chosen.batch_size, batch_seconds=1e9)
    bucketed = source(Pieces(rows, longest=15.0, shortest=0.5), crops, seed=0, training=True).batches(0)
    plain = padded(rows, chosen.batch_size, 15.0, 0)
    seconds: dict[str, list[float]] = {name: [] for name in models}
    sound: dict[str, list[float]] = {name: [] for name in models}
    for number in range(chosen.steps + 1):
        batch = standardized(next(bucketed).samples)
        samples, lengths = next(plain)
        times = {
            "ours": timed(ours, optimizers["ours"], lambda b=batch: our_loss(ours, b)),
            "padded": timed(theirs, optimizers["padded"], lambda s=samples, n=lengths: their_loss(theirs, s, n)),
            "same_step": timed(same, optimizers["same_step"], lambda s=samples: our_loss(same, s)),
        }
        if not number:
            continue  # the first step of each warms up
        for name, value in times.items():
            seconds[name].append(value)
        sound["ours"].append(batch.numel() / RATE)
        sound["padded"].append(float(lengths.sum()) / RATE)
        sound["same_step"].append(float(lengths.sum()) / RATE)
    speed = {name: sum(sound[name]) / sum(seconds[name]) for name in models}
    ratio = speed["ours"] / speed["padded"]
    results = {
        "audio_seconds_per_second": speed,
        "ratio": ratio,
        "ratio_to_same_step": speed["ours"] / speed["same_step"],
        "median_step_seconds": {name: statistics.median(values) for name, values in seconds.items()},
        "parameters": sum(p.numel() for p in ours.parameters()),
        "batch_size": chosen.batch_size,
        "steps": chosen.steps,
        "bar": BAR,
        "held": ratio >= BAR,
    }
    for name, value in speed.items():
        print(f"{name:10} {value:7.1f} s of sound a second")
    print(f"ratio {ratio:.2f}, bar {BAR}: {'held' if ratio >= BAR else 'MISSED'}")
    record.write(chosen.json, results)
    return 0 if ratio >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
