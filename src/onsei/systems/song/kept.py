"""What a song is made of, kept beside its sound: with it a song goes on, or a part of it is made anew.

T frames, Z latent channels.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from onsei.config import from_dict, to_dict
from onsei.errors import ConfigError, ModelError
from onsei.hub import weights
from onsei.systems.song.config import Network, Request

SUFFIX = weights.SUFFIX
_FORMAT = "song-kept-1"


@dataclass(frozen=True)
class Kept:
    """Blocks of a song."""

    request: Request
    """What was asked for."""
    sketch: Tensor
    """Tokens, (T,), whole blocks."""
    latents: Tensor
    """Shape (Z, T), float32."""
    chance: Tensor
    """State of the generator that drew them, behind the last block."""
    ended: bool = False
    """Whether the song came to its own end."""

    def save(self, path: Path) -> None:
        """Write a safetensors file."""
        about = {"format": _FORMAT, "request": json.dumps(to_dict(self.request)), "ended": str(int(self.ended))}
        weights.save(path, {"sketch": self.sketch, "latents": self.latents, "chance": self.chance}, about)

    @classmethod
    def load(cls, path: Path) -> Kept:
        """Read what ``save`` wrote; ``path`` is the file, or the sound that it lies beside.

        Raises:
            ModelError: there is no such file, or it holds something else.
        """
        file = path if path.suffix == SUFFIX else path.with_suffix(SUFFIX)
        if not file.is_file():
            mend = "name a song of `onsei song generate`; its .safetensors must lie beside it"
            raise ModelError(f"{file}: not there, so nobody knows what the song is made of", mend)
        about = weights.metadata(file)
        if about.get("format") != _FORMAT:
            raise ModelError(f"{file}: holds no song", "name a song of `onsei song generate`")
        found = weights.load(file)
        request = from_dict(Request, json.loads(about["request"]), str(file))
        return cls(request, found["sketch"].long(), found["latents"], found["chance"], about["ended"] == "1")

    def check(self, sizes: Network, place: str) -> None:
        """Refuse a song of another network.

        Raises:
            ModelError: other blocks, latents or tokens.
        """
        frames = len(self.sketch)
        highest = int(self.sketch.max()) if frames else 0
        fits = self.latents.shape == (sizes.latent_dim, frames) and highest < sizes.num_pitch
        if not fits or frames % sizes.block_size:
            found = f"{frames} frames of {self.latents.size(0)} latents"
            wanted = f"blocks of {sizes.block_size} frames, {sizes.latent_dim} latents, {sizes.num_pitch} tokens"
            raise ModelError(f"{place}: {found}; the model has {wanted}", "take the model that sang it")

    def first(self, frames: int) -> Kept:
        """The song up to a frame."""
        return Kept(self.request, self.sketch[:frames], self.latents[:, :frames], self.chance)


def span(kept: Kept, sizes: Network, start: float, end: float, rate: float) -> tuple[int, int]:
    """First and last frame of the blocks that reach into the seconds from ``start`` to ``end``.

    Raises:
        ConfigError: no such part of the song.
    """
    frames, size = len(kept.sketch), sizes.block_size
    if not 0 <= start < end or start * rate >= frames:
        raise ConfigError(
            f"--from {start:g} --to {end:g}: no part of a song of {frames / rate:.2f} s", "give two places of the song"
        )
    first = int(start * rate / size) * size
    last = min(frames, -(-round(end * rate) // size) * size)
    return first, last
