"""The masked loss of mels: weights of bands and frames that ramp, differences in time, the latest frame.

B films or windows, F mel frames, M mel bands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from onsei.errors import ConfigError
from onsei.nn.masks import length_mask
from onsei.systems.articulation.config.train import Losses

GROUPS = ("f0", "f1", "f2", "f3", "high")
"""Names of groups of bands, where there are five of them."""


@dataclass(frozen=True)
class MaskedLoss:
    """Weighted squared and absolute error of normalized mels; the mean over films of the means over their frames.

    Args:
        options: weights and their ramps.
        bands: M.

    Raises:
        ConfigError: groups of bands that do not fit.
    """

    options: Losses
    bands: int

    def __post_init__(self) -> None:
        edges = self.options.edges
        if list(edges) != sorted(set(edges)) or (edges and edges[-1] >= self.bands):
            raise ConfigError(
                f"losses.edges: expected rising bands below {self.bands}, found {list(edges)}", "mend them", ["losses"]
            )
        if len(self.options.bands) != len(edges) + 1:
            raise ConfigError(
                f"losses.bands: expected {len(edges) + 1} weights for {len(edges)} edges, "
                f"found {len(self.options.bands)}",
                "give each group of bands a weight",
                ["losses"],
            )

    def __call__(self, found: Tensor, true: Tensor, lengths: Tensor, step: int | None = None) -> Tensor:
        """One number.

        Args:
            found: (B, F, M).
            true: likewise.
            lengths: mel frames of each, (B,).
            step: optimizer steps done, which the ramps go by; None: at their end.
        """
        options, done = self.options, self.progress(step)
        weights = self.band_weights(done).to(found)
        mask = length_mask(lengths, found.shape[1], found.device)
        error = found - true
        loss = self._mean(error, mask * self.frame_weights(found.shape[1]).to(found), weights)
        for order, (start, end) in enumerate((options.delta, options.accel), start=1):
            factor = start + (end - start) * done
            if factor and found.shape[1] > order:
                # A difference is of film only where its last frame is.
                loss = loss + factor * self._mean(error.diff(order, dim=1), mask[:, order:].to(found), weights)
        factor = options.latest[0] + (options.latest[1] - options.latest[0]) * done
        if factor:
            last = error[torch.arange(len(error), device=error.device), (lengths.to(error.device) - 1).clamp(min=0)]
            loss = loss + factor * (last.square() * weights).mean()
        return loss

    def progress(self, step: int | None) -> float:
        """How far the ramps have come, 0..1."""
        ramp = self.options.ramp_steps
        return 1.0 if step is None or not ramp else min(1.0, step / ramp)

    def band_weights(self, done: float) -> Tensor:
        """Weight of each band, (M,)."""
        weights = torch.empty(self.bands)
        for part, target in zip(groups(self.options.edges, self.bands), self.options.bands, strict=True):
            weights[part] = 1.0 + (target - 1.0) * done
        return weights

    def frame_weights(self, frames: int) -> Tensor:
        """Weight of each mel frame, (F,)."""
        weights = torch.ones(frames)
        count = min(self.options.first_frames, frames)
        if count:
            falling = torch.linspace(self.options.first_from, self.options.first_to, self.options.first_frames)
            weights[:count] = falling[:count]
        return weights

    def _mean(self, error: Tensor, frames: Tensor, bands: Tensor) -> Tensor:
        """Mean over films of the weighted means of each."""
        each = torch.zeros_like(error)
        if self.options.mse:
            each = each + self.options.mse * error.square()
        if self.options.mae:
            each = each + self.options.mae * error.abs()
        total = (each * bands * frames[..., None]).sum((1, 2))
        return (total / (frames.sum(1) * len(bands)).clamp(min=1e-9)).mean()


def groups(edges: Sequence[int], bands: int) -> list[slice]:
    """The groups of bands that begin at 0 and at ``edges``."""
    bounds = [0, *edges, bands]
    return [slice(low, high) for low, high in pairwise(bounds)]


def band_errors(error: Tensor, edges: Sequence[int]) -> dict[str, Tensor]:
    """Mean absolute error by group of bands, of ``error`` (N, M)."""
    parts = groups(edges, error.shape[-1])
    names = GROUPS if len(parts) == len(GROUPS) else tuple(f"{part.start}-{part.stop - 1}" for part in parts)
    return {name: error[..., part].abs().mean() for name, part in zip(names, parts, strict=True)}
