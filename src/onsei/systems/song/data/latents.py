"""Latents of sounds, computed once and kept on disk.

F frames, T samples, Z latent channels.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from onsei.audio import io
from onsei.config import to_dict
from onsei.data.cache import FeatureCache
from onsei.data.row import Row
from onsei.errors import DataError, OnseiError
from onsei.paths import cache_folder
from onsei.systems.song.model import Analytic, Autoencoder

Array = NDArray[np.float32]


class Latents:
    """Means and deviations of latents of rows, from the cache, else by the codec.

    Worker processes get no codec, which may be large: they only read.

    Args:
        codec: settled, on its device.
        folder: of the cache; by default in onsei's.
    """

    def __init__(self, codec: Autoencoder | Analytic, folder: Path | None) -> None:
        self.codec: Autoencoder | Analytic | None = codec
        self.rate, self.channels = codec.codec.sample_rate, codec.codec.audio_channels
        key = {"kind": "song latents", "version": 1, "codec": to_dict(codec.codec), "weights": fingerprint(codec)}
        self.cache = FeatureCache(folder or cache_folder() / "song-latents", key)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "codec": None}

    def __call__(self, row: Row) -> tuple[Array, Array]:
        """Mean and deviation, each (F, Z).

        Raises:
            DataError, AudioError: no sound, or it cannot be read.
        """
        found = self.cache.get(row, lambda: self._made(row))
        mean, deviation = np.split(np.asarray(found, np.float32), 2, axis=1)
        return mean, deviation

    def gather(self, rows: Iterable[Row]) -> None:
        """Compute what is not there; rows that cannot be read are left for the loader to tell."""
        for row in rows:
            try:
                self(row)
            except OnseiError:
                continue

    def _made(self, row: Row) -> Array:
        if self.codec is None or row.audio is None:
            raise DataError(f"row {row.id}: its sound could not be read", "see `onsei data check`")
        offset, duration = row.segment
        mono, _ = io.load(row.audio, self.rate, offset=offset, duration=duration, channel=row.channel, max_seconds=None)
        device = next((tensor.device for tensor in self.codec.parameters()), torch.device("cpu"))
        sound = torch.from_numpy(mono)[None, None].expand(1, self.channels, -1).to(device)
        mean, deviation = (part[0].T.float().cpu().numpy() for part in self.codec.encode(sound))
        return np.concatenate([mean, deviation], axis=1)


def fingerprint(codec: Autoencoder | Analytic) -> str:
    """16 hexadecimal digits of a hash of the codec's weights."""
    hashed = blake2b(type(codec).__name__.encode(), digest_size=8)
    for name, tensor in sorted(codec.state_dict().items()):
        hashed.update(name.encode() + tensor.detach().cpu().float().numpy().tobytes())
    return hashed.hexdigest()
