"""K-means of 512 clusters, over made frames and real ones: time and inertia of ours and of the usual libraries.

python benchmarks/kmeans.py --data mboshi_fr --json benchmarks/results/kmeans.json
python benchmarks/kmeans.py --features FILE.npy --json …          # frames of one's own, (N, D), in place of the real

Made: 200,000 frames of 768 features, a mixture of 400 Gaussians of uneven weight and spread, which is what layers of
speech encoders look like. Real: cepstra of the Mboshi corpus with their slopes, as `fit-units --features.kind mfcc`
clusters them. Every line is measured in one process on one thread, one after another; inertia is the mean squared
distance to the nearest centroid, computed alike for all. The bar, for our best line on either: at most a third of
scikit-learn's KMeans' time, at an inertia within 1 % of its.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

import record
from onsei.audio import io
from onsei.data.manifest import Manifest
from onsei.units import kmeans
from onsei.units.spectral import RATE, Spectral

BARS = {"speed": 3.0, "inertia": 1.01}


def mixture(frames: int, dim: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    centers = random.standard_normal((400, dim)) * random.uniform(0.3, 1.0, (400, 1))
    weights = random.dirichlet(np.full(400, 0.7))
    spread = random.uniform(0.5, 0.9, 400)
    owner = random.choice(400, frames, p=weights)
    return (centers[owner] + spread[owner, None] * random.standard_normal((frames, dim))).astype(np.float32)


def cepstra(data: Path) -> np.ndarray:
    hear = Spectral()
    sounds = (io.load(row.audio, RATE)[0] for row in Manifest.open(data / "train.jsonl") if row.audio is not None)
    return np.concatenate([hear(torch.from_numpy(sound)[None])[0][0].numpy() for sound in sounds])


def inertia(x: np.ndarray, centroids: np.ndarray) -> float:
    found = kmeans.KMeans(torch.from_numpy(np.asarray(centroids, np.float32)), torch.ones(len(centroids)), 0.0)
    return float(found.nearest(torch.from_numpy(x))[1].double().mean())


def ours(x: np.ndarray, k: int, polish: int) -> np.ndarray:
    return kmeans.fit(x, k, polish=polish).centroids.numpy()


def lloyd(x: np.ndarray, k: int) -> np.ndarray:
    from sklearn.cluster import KMeans

    return KMeans(k, n_init=1, random_state=0).fit(x).cluster_centers_


def minibatch(x: np.ndarray, k: int, size: int, passes: int) -> np.ndarray:
    from sklearn.cluster import MiniBatchKMeans

    model = MiniBatchKMeans(k, batch_size=size, max_iter=passes, n_init=1, random_state=0, compute_labels=False)
    return model.fit(x).cluster_centers_


def faiss_kmeans(x: np.ndarray, k: int, per_centroid: int) -> np.ndarray:
    import faiss

    faiss.omp_set_num_threads(1)
    found = faiss.Kmeans(x.shape[1], k, niter=20, seed=0, max_points_per_centroid=per_centroid)
    found.train(x)
    return found.centroids


def main() -> int:
    chosen = _options()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    k = chosen.clusters
    results: dict[str, Any] = {"made": table(mixture(chosen.frames, chosen.dim), k)}
    if chosen.features:
        results["features"] = table(np.load(chosen.features), k)
    else:
        results["mboshi_cepstra"] = table(cepstra(chosen.data), k)
    held = {name: any(one["held"].values()) for name, one in results.items()}
    print("bars:", ", ".join(f"{name} {'held' if ok else 'MISSED'}" for name, ok in held.items()))
    record.write(chosen.json, {**results, "bars": BARS, "held": held})
    return 0 if all(held.values()) else 1


def table(x: np.ndarray, k: int) -> dict[str, Any]:
    """Time and inertia of each way to cluster the frames ``x``, and which of ours hold the bars."""
    runs: dict[str, Callable[[], np.ndarray]] = {
        "onsei": lambda: ours(x, k, 0),
        "onsei_polish_2": lambda: ours(x, k, 2),
        "onsei_polish_10": lambda: ours(x, k, 10),
        "sklearn_minibatch_4096": lambda: minibatch(x, k, 4096, 20),
        "sklearn_minibatch_256": lambda: minibatch(x, k, 256, 20),
        "sklearn_minibatch_10000": lambda: minibatch(x, k, 10_000, 100),
        "faiss_256_a_centroid": lambda: faiss_kmeans(x, k, 256),
        "faiss_all": lambda: faiss_kmeans(x, k, 10**9),
        "sklearn_kmeans": lambda: lloyd(x, k),
    }
    print(f"{len(x)} frames of {x.shape[1]} features, {k} clusters")
    ours(x[: 4 * k], k, 0)  # imports and first calls are no part of the times
    results: dict[str, Any] = {"frames": len(x), "dim": x.shape[1], "clusters": k}
    for name, run in runs.items():
        if name.startswith("faiss") and find_spec("faiss") is None:
            print(f"{name:26} not measured: pip install faiss-cpu")
            continue
        since, used = time.perf_counter(), time.process_time()
        centroids = run()
        seconds, cpu = time.perf_counter() - since, time.process_time() - used
        results[name] = {"seconds": seconds, "cpu_seconds": cpu, "inertia": inertia(x, centroids)}
        print(f"{name:26} {cpu:8.1f} s of CPU  inertia {results[name]['inertia']:.5g}", flush=True)
    slow, held = results["sklearn_kmeans"], {}
    for name in (name for name in runs if name.startswith("onsei")):
        ratio = slow["cpu_seconds"] / results[name]["cpu_seconds"]
        worse = results[name]["inertia"] / slow["inertia"]
        results[name] |= {"times_faster": ratio, "relative_inertia": worse}
        held[name] = ratio >= BARS["speed"] and worse <= BARS["inertia"]
        print(f"{name}: {ratio:.1f} times faster than KMeans, inertia {worse:.4f} of its")
    return {**results, "held": held}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=record.MBOSHI)
    parser.add_argument("--frames", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--clusters", type=int, default=512)
    parser.add_argument("--features", type=Path)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    if not (chosen.features or chosen.data / "train.jsonl").is_file():
        parser.error("name the folder of the Mboshi manifests by --data, or a file of real frames by --features")
    return chosen


if __name__ == "__main__":
    sys.exit(main())
