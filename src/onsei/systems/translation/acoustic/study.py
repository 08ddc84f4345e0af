"""How many units: a search over their number, by phones where there are any, else by the shortest description.

N frames, D features, K units.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from onsei.audio import io
from onsei.errors import OnseiError
from onsei.hub import weights
from onsei.metrics import units as metrics
from onsei.paths import write_text
from onsei.systems.translation.acoustic.features import Acoustic
from onsei.systems.translation.config.units import FitUnits
from onsei.systems.translation.data.pieces import Pieces
from onsei.training import study
from onsei.training.study import Search, Trial
from onsei.units import kmeans
from onsei.units.spectral import RATE

DATABASE, CHOSEN = "study.db", "best_params.json"
_MATERIAL = "study.safetensors"
_ROWS = 200
_FRAMES = 50_000
Frames = NDArray[np.float32]


def best_clusters(options: FitUnits, acoustic: Acoustic, frames: Frames, val: Pieces) -> int:
    """The number of units that a search finds best; it is written to best_params.json, the trials to study.db."""
    folder = options.output_dir
    kept = {"frames": torch.from_numpy(frames[:_FRAMES]), **_aligned(acoustic, val)}
    weights.save(folder / _MATERIAL, kept)
    low, high = options.study_clusters
    high = max(1, min(high, len(kept["frames"]) // 4))
    measure = "phones" if "phones" in kept else "length"
    payload = {
        "material": str(folder / _MATERIAL),
        "clusters": [min(low, high), high],
        "cosine": options.units.cosine,
        "seed": options.training.seed,
    }
    comparable = {
        "features": f"{acoustic.base.fingerprint} layer {acoustic.base.layer}",
        "measure": measure,
        "frames": len(kept["frames"]),
    }
    try:
        best = study.searched(
            Search(
                folder / DATABASE,
                "clusters",
                options.study,
                f"{__name__}:objective",
                payload,
                comparable,
                seed=options.training.seed,
            )
        )
    finally:
        (folder / _MATERIAL).unlink(missing_ok=True)
    chosen = int(best.params["num_clusters"])
    facts = {"num_clusters": chosen, "value": best.value, "by": measure, "trials": best.complete}
    write_text(folder / CHOSEN, json.dumps(facts, indent=1) + "\n")
    print(f"search: of {best.complete} numbers of units {chosen} is best, by {measure}: {best.value:.4g}")
    return chosen


def objective(payload: Mapping[str, Any]) -> Callable[[Trial], float]:
    """What a number of units is worth: normalized mutual information with phones, or bits saved a frame."""
    kept = weights.load(Path(payload["material"]))
    low, high = payload["clusters"]

    def tried(trial: Trial) -> float:
        clusters = trial.suggest_int("num_clusters", low, high, log=True)
        found = kmeans.fit(kept["frames"], clusters, cosine=payload["cosine"], seed=payload["seed"])
        if "phones" in kept:
            units = found.assign(kept["aligned"]).numpy()
            return metrics.agreement(units, kept["phones"].numpy()).nmi
        return -description(kept["frames"], found)

    return tried


def description(frames: Tensor, found: kmeans.KMeans) -> float:
    """Bits a frame that tell features (N, D) by their clusters: the clusters' names, what is left as Gaussian noise,
    and the centroids themselves (minimum description length; Rissanen 1978)."""
    units, distance = found.nearest(frames)
    count, dim = frames.shape
    names = metrics.entropy(np.bincount(units.numpy()))
    variance = max(float(distance.mean()) / dim, 1e-12)
    return float(names + dim / 2 * np.log2(variance) + len(found.centroids) * dim / 2 * np.log2(count) / count)


def _aligned(acoustic: Acoustic, val: Pieces) -> dict[str, Tensor]:
    """Features and phones of validation rows, if any are aligned."""
    numbers: dict[str, int] = {}
    features, phones = [], []
    middle = acoustic.frames.smallest / 2 / RATE
    for number in range(min(len(val.manifest), _ROWS)):
        row = val.manifest[number]
        if not row.phones or row.phones[0].end is None or row.audio is None:
            continue
        offset, span = row.segment
        try:
            samples, _ = io.load(row.audio, RATE, offset=offset, duration=span, channel=row.channel)
        except OnseiError:
            continue
        found, _ = acoustic(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
        features.append(found[0])
        times = {"frame_seconds": acoustic.frame_seconds, "first": middle}
        phones.append(torch.from_numpy(metrics.frame_phones(row.phones, found.shape[1], numbers, **times)))
    return {"aligned": torch.cat(features), "phones": torch.cat(phones)} if features else {}
