"""Random changes of films: the same for all frames of a clip, as another head position or another coil would be.

T frames, H height, W width.
"""

from __future__ import annotations

from math import cos, pi, sin

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from onsei.data.loader import Draw
from onsei.systems.articulation.config.train import Augment


def changed(frames: Tensor, options: Augment, draw: Draw) -> Tensor:
    """Pictures (T, 1, H, W) in 0..1, moved, turned, of other contrast, noisy and blanked as ``options`` say."""
    if options.shift or options.scale or options.turn:
        frames = _moved(frames, options, draw.generator("place"))
    if options.gamma:
        power = (1 + options.gamma) ** draw.generator("gamma").uniform(-1, 1)
        frames = frames.clamp(0, 1) ** power
    if options.noise:
        noise = draw.generator("noise").standard_normal(frames.shape, np.float32)
        frames = frames + options.noise * torch.from_numpy(noise)
    if options.blank:
        frames = _blanked(frames, options.blank, draw.generator("blank"))
    return frames


def _moved(frames: Tensor, options: Augment, random: np.random.Generator) -> Tensor:
    right, down, grown, turned = random.uniform(-1, 1, 4)
    angle, zoom = turned * options.turn * pi / 180, 1 + grown * options.scale
    # A shift by a part of the picture is twice that in coordinates from -1 to 1.
    rows = [
        [zoom * cos(angle), -zoom * sin(angle), 2 * right * options.shift],
        [zoom * sin(angle), zoom * cos(angle), 2 * down * options.shift],
    ]
    # All frames move alike: they are the channels of one picture.
    picture = frames.transpose(0, 1)  # (1, T, H, W)
    grid = affine_grid(torch.tensor([rows], dtype=frames.dtype), list(picture.shape), align_corners=False)
    return grid_sample(picture, grid, padding_mode="border", align_corners=False).transpose(0, 1)


def _blanked(frames: Tensor, most: float, random: np.random.Generator) -> Tensor:
    height, width = frames.shape[-2:]
    tall, wide = (int(random.uniform(0, most) * side) for side in (height, width))
    top, left = int(random.integers(0, height - tall + 1)), int(random.integers(0, width - wide + 1))
    kept = torch.ones(height, width)
    kept[top : top + tall, left : left + wide] = 0
    return frames * kept
