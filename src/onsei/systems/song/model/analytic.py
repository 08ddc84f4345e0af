"""The codec without weights in the place of the autoencoder.

B batch, T samples, F frames, Z latent channels (32).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from onsei.errors import ConfigError
from onsei.systems.song import sourcefilter
from onsei.systems.song.config.network import Codec
from onsei.systems.song.sourcefilter import FRAME, HOP, LATENTS

_LATE = 2 * HOP
"""Samples at the end that further latents change."""


class Analytic(nn.Module):
    """Sound to pitch, voicing and envelope, and back: see ``sourcefilter``. It holds no weights.

    Args:
        codec: its sizes.
        latent_dim: Z.

    Raises:
        ConfigError: other sizes than it has.
    """

    def __init__(self, codec: Codec, latent_dim: int) -> None:
        super().__init__()
        codec.check()
        if latent_dim != LATENTS:
            raise ConfigError(
                f"network.latent_dim: {latent_dim}; the analytic codec has {LATENTS}",
                f"give --network.latent-dim {LATENTS}",
                ["network.latent_dim"],
            )
        self.codec, self.latent_dim = codec, latent_dim

    def settle(self) -> None:
        """Nothing to work out."""

    def stream(self) -> AnalyticStream:
        """Sound of latents that come block by block."""
        return AnalyticStream(self)

    @torch.no_grad()
    def encode(self, sound: Tensor) -> tuple[Tensor, Tensor]:
        """Latents, (B, Z, F), of sound (B, 1, T), and their deviation, which is 0."""
        found = [sourcefilter.encode(one[0].float().cpu().numpy()) for one in sound]
        latents = torch.from_numpy(np.stack(found)).transpose(1, 2).to(sound.device)
        return latents, torch.zeros_like(latents)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Sound, (B, 1, F · 640), of latents (B, Z, F)."""
        made = [sourcefilter.decode(one.T.float().cpu().numpy()) for one in latents]
        return torch.from_numpy(np.stack(made))[:, None].to(latents.device)


class AnalyticStream:
    """Sound of latents that come block by block: all of it is what the whole would sound like.

    The phase of the voice runs through the whole song, so each push sings it from the start.
    """

    def __init__(self, codec: Analytic) -> None:
        self._codec = codec
        self._held: Tensor | None = None
        self._heard = 0

    def push(self, latents: Tensor) -> Tensor:
        """Take further latents, (1, Z, F); returns the sound that is now certain, (1, 1, T)."""
        self._held = latents if self._held is None else torch.cat([self._held, latents], -1)
        return self._rest(self._held.size(-1) * FRAME - _LATE)

    def finish(self) -> Tensor:
        """The rest of the sound, (1, 1, T); shape (0, 1, 0) where nothing came."""
        return torch.zeros(0, 1, 0) if self._held is None else self._rest(self._held.size(-1) * FRAME)

    def _rest(self, end: int) -> Tensor:
        assert self._held is not None
        sound = self._codec.decode(self._held)[..., self._heard : end]
        self._heard = max(self._heard, end)
        return sound
