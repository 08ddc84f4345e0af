"""MuQ as what hears songs, on a device of its own."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import torch
from numpy.typing import NDArray

from onsei.errors import ConfigError
from onsei.systems.song.sketch.frames import HOP
from onsei.units import muq

LAYER = "@"
"""Stands between a model's name and the layer whose output is taken; without it the last one is."""


class MuQFrames:
    """Hidden states of a MuQ."""

    def __init__(self, name: str, network: muq.MuQ, layer: int) -> None:
        self.name, self._network, self._layer = name, network, layer
        self.width = network.width
        hashed = blake2b(str(layer % (network.depth + 1)).encode(), digest_size=8)
        for key, tensor in sorted(network.state_dict().items()):
            hashed.update(key.encode() + tensor.cpu().numpy().tobytes())
        self.fingerprint = hashed.hexdigest()

    @classmethod
    def load(cls, name: str, device: str = "auto") -> MuQFrames:
        """Open ``name``, a folder or a Hub repository, with ``@8`` behind it for the output of layer 8.

        Raises:
            ModelError: there is no such model.
            ConfigError: no such device, or no such layer.
        """
        folder, _, told = name.rpartition(LAYER) if LAYER in name else (name, "", "-1")
        network = muq.load(folder, device)
        if not told.removeprefix("-").isdecimal() or not -network.depth - 1 <= int(told) <= network.depth:
            raise ConfigError(f"{name}: layer {told!r}", f"give a layer from 0 to {network.depth}, or none")
        return cls(name, network, int(told))

    @torch.inference_mode()
    def __call__(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """See ``frames.Embedding``."""
        found: torch.Tensor = self._network(torch.from_numpy(np.ascontiguousarray(samples))[None], self._layer)
        frames: NDArray[np.float32] = found[0, : len(samples) // HOP].float().cpu().numpy()
        return frames
