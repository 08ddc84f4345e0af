"""K-means for corpora of any size: scikit-learn's mini-batch fit of a sample, then passes over everything.

N frames, D features, K clusters.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from onsei.errors import DataError, ModelError
from onsei.hub import weights

Array = NDArray[np.float32]
Blocks = Callable[[], Iterable[Array]]
"""Gives all frames anew at each call, in blocks of shape (n, D)."""

SAMPLE = 200_000
"""Frames that the first fit sees at most; 600 MB at 768 features."""
_CHUNK = 8192
_FLAT = 1024
"""More clusters than these start in two levels: k-means++ over all frames would take hours."""
_REVIVALS = 3
_PREFIX = "kmeans."


@dataclass(frozen=True)
class KMeans:
    """Fitted clusters."""

    centroids: Tensor
    """Shape (K, D), float32; of length 1 where ``cosine``."""
    counts: Tensor
    """Frames of each cluster when it was fitted, shape (K,), int64."""
    inertia: float
    """Mean squared distance of a frame to its centroid; on the unit sphere where ``cosine``."""
    cosine: bool = False
    """Whether frames are compared by angle."""

    def assign(self, features: Tensor) -> Tensor:
        """Nearest centroid of each frame: (..., D) → (...), int64; in chunks, on the features' device."""
        return self.nearest(features)[0]

    def nearest(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Nearest centroid of each frame, and the squared distance to it: (..., D) → (...) twice."""
        flat = features.reshape(-1, features.shape[-1]).float()
        flat = torch.nn.functional.normalize(flat, dim=-1) if self.cosine else flat
        found = [_nearest(part, self.centroids.to(flat.device)) for part in torch.split(flat, _CHUNK)]
        if not found:
            empty = features.new_zeros(features.shape[:-1])
            return empty.long(), empty
        units, distances = (torch.cat(parts).view(features.shape[:-1]) for parts in zip(*found, strict=True))
        return units, distances

    def state(self) -> dict[str, Tensor]:
        """As tensors by name, for a model folder."""
        facts = torch.tensor([self.inertia, float(self.cosine)], dtype=torch.float64)
        return {f"{_PREFIX}centroids": self.centroids, f"{_PREFIX}counts": self.counts, f"{_PREFIX}facts": facts}

    @classmethod
    def from_state(cls, tensors: Mapping[str, Tensor], source: str = "state") -> KMeans:
        """What ``state`` gave.

        Raises:
            ModelError: tensors are missing.
        """
        try:
            centroids, counts, facts = (tensors[_PREFIX + name] for name in ("centroids", "counts", "facts"))
        except KeyError as error:
            raise ModelError(f"{source}: holds no k-means ({error})", "copy the whole file again") from None
        return cls(centroids.float(), counts.long(), float(facts[0]), bool(facts[1]))

    def save(self, path: Path) -> None:
        """Write a safetensors file."""
        weights.save(path, self.state())

    @classmethod
    def load(cls, path: Path) -> KMeans:
        """Read a safetensors file. Errors as of ``hub.weights.load`` and ``from_state``."""
        return cls.from_state(weights.load(path), str(path))


def fit(
    features: Array | Tensor | Blocks,
    clusters: int,
    *,
    cosine: bool = False,
    sample: int = SAMPLE,
    batch: int = 10_000,
    iterations: int = 100,
    polish: int = 0,
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> KMeans:
    """Find ``clusters`` centroids (Sculley 2010, "Web-scale k-means clustering"; start: Arthur and Vassilvitskii 2007).

    A uniform sample of the frames is fitted by scikit-learn's ``MiniBatchKMeans``; frames beyond it are then learned
    from by ``partial_fit`` in one further pass. Memory is that of the sample, whatever the corpus. Clusters without a
    frame are moved to the frames that lie farthest from their centroids.

    Args:
        features: all frames, shape (N, D); or a function that gives them in blocks, anew at each call, for corpora that
            do not fit into memory.
        clusters: K.
        cosine: compare by angle (spherical k-means): frames and centroids are brought to length 1.
        sample: frames of the first fit, at most.
        batch: frames of a mini-batch.
        iterations: passes over the sample, at most: it ends where inertia no longer falls.
        polish: steps of Lloyd's algorithm over all frames afterwards: each is a full pass.
        seed: of sample, start and order.
        device: where polish and the last count compute.

    Raises:
        DataError: fewer frames, or fewer different ones, than clusters; values that are not finite.
    """
    blocks = _blocks(features, cosine)
    kept, total = _sampled(blocks, max(sample, clusters), seed)
    _check(kept, total, clusters)
    centers = _fitted(kept, clusters, batch, iterations, seed, blocks if total > len(kept) else None)
    del kept
    found = _placed(centers, cosine, device)
    for _ in range(polish):
        found, _, _, _ = _step(found, blocks, cosine)
    for _ in range(_REVIVALS):
        moved, counts, inertia, empty = _step(found, blocks, cosine)
        if not empty:
            break
        found = moved
    else:
        _, counts, inertia, _ = _step(found, blocks, cosine)
    return KMeans(found.cpu(), counts.cpu(), inertia, cosine)


def _placed(centers: Array, cosine: bool, device: str | torch.device) -> Tensor:
    found = torch.from_numpy(np.ascontiguousarray(centers, dtype=np.float32)).to(device)
    return torch.nn.functional.normalize(found, dim=-1) if cosine else found


def _blocks(features: Array | Tensor | Blocks, cosine: bool) -> Callable[[], Iterator[Array]]:
    """All frames in blocks of float32, of length 1 where ``cosine``; checked as they come."""

    def each() -> Iterator[Array]:
        source: Iterable[Any]
        if callable(features) and not isinstance(features, Tensor):
            source = features()
        else:
            whole = features.detach().cpu().numpy() if isinstance(features, Tensor) else features
            source = (whole[first : first + 4 * _CHUNK] for first in range(0, len(whole), 4 * _CHUNK))
        for block in source:
            array = np.asarray(block, dtype=np.float32)
            if array.ndim != 2:
                raise DataError(f"k-means: expected frames (N, D), found shape {array.shape}", "put features last")
            if not np.isfinite(array).all():
                raise DataError("k-means: features hold NaN or infinite values", "leave the broken recordings out")
            if cosine:
                array = array / np.maximum(np.linalg.norm(array, axis=1, keepdims=True), 1e-12)
            if len(array):
                yield array

    return each


def _sampled(blocks: Callable[[], Iterator[Array]], most: int, seed: int) -> tuple[Array, int]:
    """At most ``most`` frames, each as likely as the other (reservoir sampling; Vitter 1985), and the number of all."""
    random = np.random.default_rng(seed)
    parts: list[Array] = []
    kept: Array | None = None
    total = 0
    for block in blocks():
        room = most - total if kept is None else 0
        if room > 0:
            parts.append(block[:room].copy())
            total += len(parts[-1])
            block = block[room:]
        if len(block):
            kept = np.concatenate(parts) if kept is None else kept
            places = (random.random(len(block)) * (total + 1 + np.arange(len(block)))).astype(np.int64)
            taken = places < most
            kept[places[taken]] = block[taken]
            total += len(block)
    if kept is None:
        kept = np.concatenate(parts) if parts else np.empty((0, 1), np.float32)
    return kept, total


def _check(sample: Array, total: int, clusters: int) -> None:
    if clusters < 1:
        raise DataError(f"k-means: expected 1 cluster or more, found {clusters}", "raise the number of clusters")
    if total < clusters:
        raise DataError(
            f"k-means: {clusters} clusters of {total} frames", "take fewer clusters than frames, or more recordings"
        )
    if len(sample) <= 4 * clusters or not sample[: 4 * clusters].std(axis=0).any():
        different = len(np.unique(sample, axis=0))
        if different < clusters:
            raise DataError(
                f"k-means: {clusters} clusters of {different} different frames (the sound is silent or repeats itself)",
                "take fewer clusters, or other recordings",
            )


def _fitted(
    sample: Array, clusters: int, batch: int, iterations: int, seed: int, rest: Callable[[], Iterator[Array]] | None
) -> Array:
    """Centroids by mini-batches of ``sample``, and then of ``rest``."""
    from sklearn.cluster import MiniBatchKMeans

    size = max(batch, clusters)
    start: Any = "k-means++" if clusters <= _FLAT else _two_levels(sample, clusters, batch, seed)
    model = MiniBatchKMeans(
        clusters, init=start, max_iter=iterations, batch_size=size, n_init=1, random_state=seed, compute_labels=False
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of duplicate frames: clusters without any are revived later
        model.fit(sample)
        for block in _rebatched(rest(), size) if rest is not None else ():
            model.partial_fit(block)
    centers: Array = model.cluster_centers_
    return centers


def _two_levels(sample: Array, clusters: int, batch: int, seed: int) -> Array:
    """A start for many clusters: a few coarse ones, in each k-means++ for as many as it has of the frames."""
    from sklearn.cluster import MiniBatchKMeans, kmeans_plusplus

    coarse = max(2, round(clusters**0.5))
    model = MiniBatchKMeans(coarse, max_iter=5, batch_size=batch, n_init=1, random_state=seed)
    labels = model.fit(sample).labels_
    sizes = np.bincount(labels, minlength=coarse)
    shares = np.minimum(np.maximum(1, (clusters * sizes / sizes.sum()).astype(np.int64)), sizes)
    for place in np.argsort(-sizes):  # what rounding left over, to the largest; what it took too much, from them
        missing = clusters - int(shares.sum())
        room = int(sizes[place] - shares[place]) if missing > 0 else 1 - int(shares[place])
        shares[place] += min(missing, room) if missing > 0 else max(missing, room)
    starts = [
        kmeans_plusplus(sample[labels == place], int(count), random_state=seed, n_local_trials=1)[0]
        for place, count in enumerate(shares)
        if count > 0
    ]
    return np.concatenate(starts)


def _rebatched(blocks: Iterable[Array], size: int) -> Iterator[Array]:
    held: list[Array] = []
    for block in blocks:
        held.append(block)
        if sum(map(len, held)) >= size:
            whole = np.concatenate(held)
            full = len(whole) // size * size
            yield from np.split(whole[:full], full // size)
            held = [whole[full:]]


def _step(centroids: Tensor, blocks: Callable[[], Iterator[Array]], cosine: bool) -> tuple[Tensor, Tensor, float, int]:
    """One step of Lloyd's algorithm: the next centroids; and of these here: counts, mean squared distance, and how
    many have no frame. Those move to the frames that are farthest from their centroids."""
    clusters, device = len(centroids), centroids.device
    sums = torch.zeros(centroids.shape, dtype=torch.float64, device=device)
    counts = torch.zeros(clusters, dtype=torch.int64, device=device)
    total, frames = 0.0, 0
    far, far_distance = centroids[:0], torch.zeros(0, device=device)
    for block in blocks():
        for part in torch.split(torch.from_numpy(block).to(device), _CHUNK):
            units, distance = _nearest(part, centroids)
            sums.index_add_(0, units, part.double())
            counts += torch.bincount(units, minlength=clusters)
            total, frames = total + float(distance.sum(dtype=torch.float64)), frames + len(part)
            far, far_distance = torch.cat([far, part]), torch.cat([far_distance, distance])
            best = far_distance.topk(min(clusters, 256, len(far))).indices
            far, far_distance = far[best], far_distance[best]
    moved = torch.where(counts[:, None] > 0, (sums / counts.clamp(min=1)[:, None]).float(), centroids)
    empty = (counts == 0).nonzero()[:, 0]
    moved[empty[: len(far)]] = far[: len(empty)]
    moved = torch.nn.functional.normalize(moved, dim=-1) if cosine else moved
    return moved, counts, max(0.0, total / max(frames, 1)), len(empty)


def _nearest(frames: Tensor, centroids: Tensor) -> tuple[Tensor, Tensor]:
    """Number of the nearest centroid, and squared distance: (n, D) → (n,) twice; in 32 bits, also under autocast."""
    with torch.autocast(frames.device.type, enabled=False):
        scores = torch.addmm(centroids.square().sum(1), frames, centroids.T, beta=0.5, alpha=-1.0)
    least, units = scores.min(1)
    return units, (2 * least + frames.square().sum(1)).clamp(min=0)
