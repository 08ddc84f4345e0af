"""A vector-quantization layer: normalization, projection, a codebook started by k-means, and a way back.

B batch, F frames, D features, C code size, K codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, normalize

from onsei.config import Fraction, NonNegative, NonNegativeInt, PositiveInt, options
from onsei.errors import ConfigError, ModelError
from onsei.units import kmeans
from onsei.units.kmeans import Array, Blocks, KMeans

_DEAD = 0.03
"""Share of its fair use below which a code is dead."""


@options
class Codebook:
    """Shape and learning of a quantizer."""

    codes: PositiveInt = 100
    """Codes K."""
    code_size: NonNegativeInt = 0
    """Values of a code; 0: as many as the features have, 64 at most."""
    layer_norm: bool = False
    """Bring each frame to mean 0 and deviation 1 first, so that its loudness does not tell."""
    whiten: Fraction = 0.0
    """How far the projection's axes are brought to one variance at the start: 0 not at all, 1 wholly."""
    cosine: bool = False
    """Compare by angle."""
    decay: Fraction = 0.99
    """Decay per step of the codes' running means (van den Oord et al. 2017, appendix A.1)."""
    commitment: NonNegative = 0.25
    """Weight of the squared distance from projected frames to their codes."""
    restart: bool = True
    """Move codes that are hardly used to frames of the batch."""


@dataclass(frozen=True)
class Quantized:
    """What a quantizer makes of frames."""

    units: Tensor
    """Number of each frame's code, (B, F), int64."""
    vectors: Tensor
    """The codes, (B, F, C); gradients go past them to the projection (straight-through)."""
    error: Tensor
    """Variance that the reconstruction does not explain, as a share of all: 1 where nothing is kept. Scalar."""
    commitment: Tensor
    """Mean squared distance of projected frames to their codes, per value. Scalar."""


class VectorQuantizer(nn.Module):
    """Frames (B, F, D) → codes, and back to an estimate of the frames.

    Codes follow running sums and uses: ``codebook = sums / uses``; both are kept, so loading centroids sets the sums
    to centroid × use. Uses are shares of the frames times K: 1 is fair.

    Args:
        dim: features D.
        shape: codes and learning.
    """

    mean: Tensor
    scale: Tensor
    codebook: Tensor
    sums: Tensor
    uses: Tensor

    def __init__(self, dim: int, shape: Codebook) -> None:
        super().__init__()
        size = shape.code_size or min(dim, 64)
        if size > dim:
            raise ConfigError(f"code_size: {size}, but frames have {dim} features", f"take {dim} or less")
        self.shape = shape
        self.project = nn.Linear(dim, size, bias=False)
        self.decode = nn.Linear(size, dim)
        for name, values in {
            "mean": torch.zeros(dim),
            "scale": torch.ones(()),
            "codebook": torch.zeros(shape.codes, size),
            "sums": torch.zeros(shape.codes, size),
            "uses": torch.ones(shape.codes),
        }.items():
            self.register_buffer(name, values)

    @property
    def codes(self) -> int:
        """K."""
        return self.codebook.shape[0]

    @property
    def size(self) -> int:
        """C."""
        return self.codebook.shape[1]

    def forward(self, features: Tensor, mask: Tensor | None = None) -> Quantized:
        """Quantize (B, F, D); frames where ``mask`` (B, F) is False count in no loss.

        In training mode the codes do not move here: see ``learn``.
        """
        normal = self.normal(features)
        projected = self.projected(normal)
        units = self.nearest(projected.detach())
        codes = self.codebook[units]
        vectors = projected + (codes - projected).detach()
        kept = torch.ones_like(units, dtype=torch.bool) if mask is None else mask
        count = kept.sum().clamp(min=1)
        error = (normal - self.decode(vectors)).square().mean(-1)
        apart = (projected - codes).square().mean(-1)
        return Quantized(units, vectors, (error * kept).sum() / count, (apart * kept).sum() / count)

    def normal(self, features: Tensor) -> Tensor:
        """Frames (..., D) as they are reconstructed: mean 0, mean variance 1 over the corpus."""
        x = layer_norm(features.float(), features.shape[-1:]) if self.shape.layer_norm else features.float()
        return (x - self.mean) / self.scale

    def projected(self, normal: Tensor) -> Tensor:
        """Normalized frames (..., D) → (..., C), of length 1 where codes are compared by angle; in 32 bits."""
        with torch.autocast(normal.device.type, enabled=False):
            x: Tensor = self.project(normal)
            return normalize(x, dim=-1) if self.shape.cosine else x

    def nearest(self, projected: Tensor) -> Tensor:
        """The code of each projected frame, (..., C) → (...)."""
        return KMeans(self.codebook, self.uses, 0.0, False).assign(projected)

    @torch.no_grad()
    def learn(self, features: Tensor, units: Tensor) -> int:
        """Move the codes towards frames (n, D) that were given ``units``, (n,); returns how many began anew.

        Over several processes the frames of all count.
        """
        projected = self.projected(self.normal(features))
        counts = torch.bincount(units, minlength=self.codes).float()
        sums = torch.zeros_like(self.sums).index_add_(0, units, projected)
        counts, sums = _summed(counts), _summed(sums)
        fair = counts.sum().clamp(min=1) / self.codes
        self.uses.lerp_(counts / fair, 1 - self.shape.decay)
        self.sums.lerp_(sums / fair, 1 - self.shape.decay)
        dead = self.uses < _DEAD
        restarted = int(dead.sum()) if self.shape.restart and len(projected) else 0
        if restarted:
            chosen = _from_first(projected[torch.randint(len(projected), (restarted,), device=projected.device)])
            self.uses[dead] = 10 * _DEAD
            self.sums[dead] = chosen * 10 * _DEAD
        self._set_codes()
        return restarted

    @torch.no_grad()
    def start(
        self, features: Array | Tensor | Blocks, *, sample: int = kmeans.SAMPLE, polish: int = 0, seed: int = 0
    ) -> KMeans:
        """Take normalization and projection from the corpus' principal axes, and the codes from k-means in them.

        Args:
            features: frames (N, D), or a function that gives them in blocks, as ``kmeans.fit`` takes them.
            sample, polish, seed: as there.

        Returns:
            The clusters, in the projected space.

        Raises:
            DataError: as of ``kmeans.fit``.
        """
        mean, covariance = self._moments(features)
        variance = float(covariance.diagonal().mean())
        self.mean.copy_(mean)
        self.scale.fill_(max(variance, 1e-12) ** 0.5)
        values, axes = torch.linalg.eigh(covariance / max(variance, 1e-12))  # ascending
        values, axes = values.flip(0)[: self.size].clamp(min=1e-6), axes.flip(1)[:, : self.size]
        stretch = values.pow(-0.5 * self.shape.whiten)
        self.project.weight.copy_((axes * stretch).T)
        self.decode.weight.copy_(axes / stretch)
        self.decode.bias.zero_()

        def projected() -> Iterator[Array]:
            for block in _each(features):
                yield self.projected(self.normal(block)).numpy()

        found = kmeans.fit(projected, self.codes, cosine=self.shape.cosine, sample=sample, polish=polish, seed=seed)
        self.load_codes(found.centroids, found.counts)
        return found

    @torch.no_grad()
    def load_codes(self, centroids: Tensor, counts: Tensor) -> None:
        """Start from ``centroids`` (K, C) that ``counts`` (K,) frames belong to.

        Raises:
            ModelError: another shape.
        """
        if centroids.shape != self.codebook.shape:
            raise ModelError(
                f"codebook: expected {tuple(self.codebook.shape)}, found {tuple(centroids.shape)}",
                "take a codebook of the same number and size of codes",
            )
        # Codes that the corpus hardly uses begin as barely alive: their first batches decide.
        share = counts.float() / counts.sum().clamp(min=1) * self.codes
        self.uses.copy_(share.clamp(min=2 * _DEAD))
        self.sums.copy_(centroids.to(self.sums) * self.uses[:, None])
        self._set_codes()

    def _set_codes(self) -> None:
        codes = self.sums / self.uses.clamp(min=1e-8)[:, None]
        self.codebook.copy_(normalize(codes, dim=-1) if self.shape.cosine else codes)

    def _moments(self, features: Array | Tensor | Blocks) -> tuple[Tensor, Tensor]:
        """Mean (D,) and covariance (D, D) of the frames before ``mean`` and ``scale``."""
        self.mean.zero_()
        self.scale.fill_(1.0)
        dim = len(self.mean)
        total, shift = 0, torch.zeros(dim, dtype=torch.float64)
        sums, products = shift.clone(), torch.zeros(dim, dim, dtype=torch.float64)
        for block in _each(features):
            x = self.normal(block).double()
            if not total:
                shift = x.mean(0)  # near the mean: else what is left of large numbers is rounding
            x = x - shift
            total, sums, products = total + len(x), sums + x.sum(0), products + x.T @ x
        mean = sums / max(total, 1)
        covariance = products / max(total, 1) - mean[:, None] * mean
        return (mean + shift).float(), covariance.float()


def _each(features: Array | Tensor | Blocks) -> Iterator[Tensor]:
    """Blocks of frames as tensors on the CPU."""
    source: Iterable[Any]
    if callable(features) and not isinstance(features, Tensor):
        source = features()
    else:
        source = (features[first : first + 8192] for first in range(0, len(features), 8192))
    for block in source:
        yield block.cpu() if isinstance(block, Tensor) else torch.from_numpy(np.asarray(block, np.float32))


def _several() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def _summed(values: Tensor) -> Tensor:
    """The sum over all processes."""
    if _several():
        torch.distributed.all_reduce(values)
    return values


def _from_first(values: Tensor) -> Tensor:
    """What the first process has."""
    if _several():
        values = values.contiguous()
        torch.distributed.broadcast(values, 0)
    return values
