"""Whether heat maps are true: what deleting and inserting their hottest places does to the prediction.

T frames, H height, W width, K steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import conv2d, interpolate, pad

from onsei.errors import DataError

Pictures = NDArray[np.float32]
Level = Callable[[Pictures], NDArray[np.float64]]
"""Film (T, H, W) → predicted level of the band at each frame in dB, (T,)."""

SHARES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
"""Parts of each picture that are deleted or inserted."""
RANDOM_MAPS = 3
_QUIET = 30.0
_BLUR = 1 / 16
"""Deviation of the blur that stands for nothing, as a part of the picture."""


@dataclass(frozen=True)
class Faithfulness:
    """What a map's order of places does, as areas under curves over the share of the picture, in dB."""

    drop: float
    """Deletion, hottest places first: by how much the band's level falls; higher is better."""
    change: float
    """Deletion: by how much it changes, up or down; higher is better."""
    rise: float
    """Insertion into a blurred film, hottest places first: by how much the band's level rises; higher is better."""
    gap: float
    """Insertion: how far the level is from that of the whole film, above or below; lower is better."""


def faithfulness(pictures: Pictures, maps: Pictures, level: Level) -> Faithfulness:
    """Delete and insert by ``maps`` (T, H, W) in all frames of a film (T, H, W) at once.

    Frames count in which the band is heard: those at most 30 dB below its loudest. In the others there is nothing to
    explain.

    Source: Petsiuk et al., RISE, 2018, section 4.3, with a level in dB in place of a probability.

    Raises:
        DataError: maps of another shape.
    """
    if maps.shape != pictures.shape:
        raise DataError(f"heat maps: expected shape {pictures.shape}, found {maps.shape}", "compute them anew")
    ranks = _ranks(maps)
    blank = blurred(pictures)
    whole = level(pictures)
    heard = sounding(whole)
    drops, changes, rises, gaps = [], [], [], []
    for share in SHARES:
        hot = ranks < share
        without = (whole - level(np.where(hot, blank, pictures)))[heard]
        with_only = level(np.where(hot, pictures, blank))[heard]
        drops.append(without.mean())
        changes.append(np.abs(without).mean())
        rises.append(with_only.mean())
        gaps.append(np.abs(whole[heard] - with_only).mean())
    risen = np.array(rises) - rises[0]  # the first one is of the blurred film alone
    return Faithfulness(*(float(np.trapezoid(values, SHARES)) for values in (drops, changes, risen, gaps)))


def sounding(level: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Frames in which a band of ``level`` dB, (T,), is heard."""
    heard: NDArray[np.bool_] = level >= level.max(initial=-np.inf) - _QUIET
    return heard


def _ranks(maps: Pictures) -> NDArray[np.float64]:
    """Place of each pixel among its frame's, hottest first, in 0..1; equal ones as they come, from a fixed shuffle."""
    flat = maps.reshape(len(maps), -1)
    shuffle = np.random.default_rng(0).permutation(flat.shape[1])
    order = shuffle[np.argsort(-flat[:, shuffle], axis=1, kind="stable")]
    ranks = np.empty(flat.shape)
    np.put_along_axis(ranks, order, (np.arange(flat.shape[1]) / flat.shape[1])[None], axis=1)
    return ranks.reshape(maps.shape)


def blurred(pictures: Pictures) -> Pictures:
    """Each picture under a Gaussian of a sixteenth of its size."""
    sigma = _BLUR * pictures.shape[-1]
    reach = int(3 * sigma)
    line = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    line = line / line.sum()
    x = torch.from_numpy(np.ascontiguousarray(pictures))[:, None]
    x = conv2d(pad(x, (0, 0, reach, reach), mode="replicate"), line[None, None, :, None])
    made: Pictures = conv2d(pad(x, (reach, reach, 0, 0), mode="replicate"), line[None, None, None, :])[:, 0].numpy()
    return made


def edge_maps(pictures: Pictures) -> Pictures:
    """Sobel's edges of each picture: what stands out without any network (Adebayo et al., 2018)."""
    x = torch.from_numpy(np.ascontiguousarray(pictures))[:, None]
    across = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])[None, None]
    x = pad(x, (1, 1, 1, 1), mode="replicate")
    made: Pictures = torch.hypot(conv2d(x, across), conv2d(x, across.transpose(2, 3)))[:, 0].numpy()
    return made


def random_maps(pictures: Pictures, grid: tuple[int, int], seed: int) -> Pictures:
    """Random maps of the layer's own coarseness ``grid`` (h, w), a new one each frame."""
    random = np.random.default_rng(seed)
    coarse = torch.from_numpy(random.random((len(pictures), 1, *grid), np.float32))
    made: Pictures = interpolate(coarse, pictures.shape[1:], mode="bilinear", align_corners=False)[:, 0].numpy()
    return made
