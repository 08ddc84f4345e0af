"""Rectified flow (Liu et al. 2023): from noise at time 1 to data at time 0 in Euler steps."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor


def euler(
    velocity: Callable[[Tensor, float], Tensor], start: Tensor, noise: Callable[[], Tensor], steps: int, tau: float
) -> Tensor:
    """Follow ``velocity`` from time 1 to time 0.

    With ``tau`` below 1 the path starts from ``start``; at the step that reaches ``tau``, what the path leads to is
    mixed with noise, and followed further. So the first steps choose without chance: the less noise enters, the nearer
    a song is to the most likely one.

    Args:
        velocity: way from data to noise at a point and time.
        start: where the path starts with ``tau`` below 1; zeros are the mean of the noise.
        noise: normal noise of that shape; called once.
        steps: number of steps, all of one length.
        tau: time at which noise enters.
    """
    times = torch.linspace(1, 0, steps + 1).tolist()
    x = start if tau < 1 else noise()
    for time, after in itertools.pairwise(times):
        slope = velocity(x, time)
        x = (1 - after) * (x - slope) + after * noise() if time > tau >= after else x + (after - time) * slope
    return x
