"""The codec between sound and latents: Stable Audio's Oobleck, worked on in pieces that leave no seams.

B batch, A audio channels, T samples, F frames, Z latent channels.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, softplus

from onsei.errors import MissingExtraError
from onsei.systems.song.config.network import Codec

PIECE = 128
"""Frames that are worked on at once."""
_DILATED = 3 * (1 + 3 + 9)
"""Samples to each side that a layer's three dilated convolutions reach."""
_OUTER, _INNER = 3, 1
"""Samples to each side that the convolutions at the ends reach, of 7 and of 3."""
_LEAST = 1e-4


class Autoencoder(nn.Module):
    """Sound to latents and back.

    The layers are those of ``diffusers.AutoencoderOobleck``, under the same names.

    Args:
        codec: sizes.
        latent_dim: Z.

    Raises:
        ConfigError: sizes that do not fit together.
        MissingExtraError: diffusers is not installed.
    """

    def __init__(self, codec: Codec, latent_dim: int) -> None:
        super().__init__()
        codec.check()
        self.codec, self.latent_dim = codec, latent_dim
        layers = _layers(codec, latent_dim)
        self.encoder, self.decoder = layers.encoder, layers.decoder
        self.reach_back, self.reach_on = _reach_of_decoder(codec.strides), _reach_of_encoder(codec.strides, codec.hop)

    def settle(self) -> None:
        """Work out the normalized weights once: for inference, not for training or saving."""
        for module in self.modules():
            if hasattr(module, "weight_g"):
                nn.utils.remove_weight_norm(module)

    def stream(self) -> SoundStream:
        """Sound of latents that come block by block."""
        return SoundStream(self)

    @torch.no_grad()
    def encode(self, sound: Tensor, piece: int = PIECE) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of latents, each (B, Z, F), of sound (B, A, T); its last frame is filled up.

        However it is cut into pieces of so many frames, the result is that of the whole.
        """
        hop, reach = self.codec.hop, self.reach_on
        frames = max(1, -(-sound.size(-1) // hop))
        sound = pad(sound, (0, frames * hop - sound.size(-1)))
        parts = []
        for begin, end, left, right in _windows(frames, piece, reach):
            found = self.encoder(sound[..., left * hop : right * hop])
            parts.append(found[..., begin - left : end - left])
        mean, scale = torch.cat(parts, -1).chunk(2, 1)
        return mean, softplus(scale) + _LEAST

    @torch.no_grad()
    def decode(self, latents: Tensor, piece: int = PIECE) -> Tensor:
        """Sound, (B, A, F · hop), of latents, (B, Z, F); whatever the pieces, the result is that of the whole."""
        hop = self.codec.hop
        parts = []
        for begin, end, left, right in _windows(latents.size(-1), piece, self.reach_back):
            made = self.decoder(latents[..., left:right])
            parts.append(made[..., (begin - left) * hop : (end - left) * hop])
        return torch.cat(parts, -1) if parts else latents.new_zeros(len(latents), self.codec.audio_channels, 0)


class SoundStream:
    """Sound of latents that come block by block: all of it is what the whole would sound like.

    A frame is heard when those that reach into it are known: ``Autoencoder.reach_back`` frames later.
    """

    def __init__(self, autoencoder: Autoencoder) -> None:
        self._autoencoder = autoencoder
        self._held: Tensor | None = None
        self._heard = 0
        """Of the frames held, those that were heard before and still reach on."""

    def push(self, latents: Tensor) -> Tensor:
        """Take further latents, (B, Z, F); returns the sound that is now certain, (B, A, T)."""
        self._held = latents if self._held is None else torch.cat([self._held, latents], -1)
        return self._decoded(self._held.size(-1) - self._autoencoder.reach_back)

    def finish(self) -> Tensor:
        """The rest of the sound, (B, A, T); shape (0, A, 0) where nothing came."""
        if self._held is None:
            return torch.zeros(0, self._autoencoder.codec.audio_channels, 0)
        return self._decoded(self._held.size(-1))

    @torch.no_grad()
    def _decoded(self, end: int) -> Tensor:
        held, hop, reach = self._held, self._autoencoder.codec.hop, self._autoencoder.reach_back
        assert held is not None
        if end <= self._heard:
            return held.new_zeros(len(held), self._autoencoder.codec.audio_channels, 0)
        sound: Tensor = self._autoencoder.decoder(held)[..., self._heard * hop : end * hop]
        forgotten = max(0, end - reach)
        self._held, self._heard = held[..., forgotten:], end - forgotten
        return sound


def _windows(frames: int, piece: int, reach: int) -> Iterator[tuple[int, int, int, int]]:
    """Pieces of ``frames``: begin and end, and the same with all that reaches in."""
    for begin in range(0, frames, piece):
        end = min(begin + piece, frames)
        yield begin, end, max(0, begin - reach), min(frames, end + reach)


def _reach_of_decoder(strides: tuple[int, ...]) -> int:
    """Frames to each side that a frame's sound depends on."""
    reach = _OUTER
    for stride in strides:  # from the sound inwards
        reach = -(-(reach + _DILATED) // stride) + 1
    return reach + _OUTER


def _reach_of_encoder(strides: tuple[int, ...], hop: int) -> int:
    """Frames to each side whose sound a frame depends on."""
    reach = _INNER
    for stride in reversed(strides):  # from the latents outwards
        reach = reach * stride + stride + _DILATED
    return -(-(reach + _OUTER) // hop)


def _layers(codec: Codec, latent_dim: int) -> Any:
    try:
        from diffusers.models.autoencoders.autoencoder_oobleck import AutoencoderOobleck
    except ImportError:
        raise MissingExtraError("diffusers", "song", "the song codec") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # it calls an older weight_norm of torch
        whole = AutoencoderOobleck(
            encoder_hidden_size=codec.channels,
            downsampling_ratios=list(codec.strides),
            channel_multiples=list(codec.c_mults),
            decoder_channels=codec.channels,
            decoder_input_channels=latent_dim,
            audio_channels=codec.audio_channels,
            sampling_rate=codec.sample_rate,
        )
        if codec.channels != 2 * latent_dim:  # diffusers makes the encoder as wide outside as inside
            last = whole.encoder.conv2
            whole.encoder.conv2 = nn.utils.weight_norm(nn.Conv1d(last.in_channels, 2 * latent_dim, 3, padding=1))
    return whole


def released_name(name: str, layers: int) -> str:
    """The name here of a tensor of a released autoencoder, ``encoder.layers.1.layers.0.layers.0.alpha``.

    Args:
        name: behind ``vae.``.
        layers: how many there are (``len(codec.strides)``).

    Raises:
        KeyError: no such tensor.
    """
    side, _, place, *rest = name.split(".")
    down = side == "encoder"
    number = int(place)
    if number == 0 or number > layers:
        part = {0: "conv1", layers + 1: "snake1", layers + 2: "conv2"}[number]
        return ".".join([side, part, *rest])
    inner, *rest = rest[1:]
    units = {place: f"res_unit{unit}" for unit, place in enumerate(range(3) if down else range(2, 5), start=1)}
    own = {3: "snake1", 4: "conv1"} if down else {0: "snake1", 1: "conv_t1"}
    block = f"{side}.block.{number - 1}"
    if int(inner) in own:
        return ".".join([block, own[int(inner)], *rest])
    part = ("snake1", "conv1", "snake2", "conv2")[int(rest[1])]
    return ".".join([block, units[int(inner)], part, *rest[2:]])


def released(tensors: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """The tensors of a released autoencoder under the names here; ``alpha`` and ``beta`` as (1, C, 1)."""
    made = {}
    for name, tensor in tensors.items():
        shaped = tensor.reshape(1, -1, 1) if name.endswith((".alpha", ".beta")) else tensor
        made[released_name(name, layers)] = shaped
    return made
