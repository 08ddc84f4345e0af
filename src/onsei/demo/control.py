"""What the demo's networks are compared with: the same ones before their first step, which chance alone made."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def untrained(network: Network, seed: int) -> Network:
    """A copy of ``network`` whose layers have drawn their weights anew."""
    torch.manual_seed(seed)
    fresh = copy.deepcopy(network)
    for part in fresh.modules():
        reset = getattr(part, "reset_parameters", None)
        if callable(reset):
            reset()
    return fresh
