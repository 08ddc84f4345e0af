"""Sizes of the network and of the codec whose latents it writes. Defaults are the published ones."""

from __future__ import annotations

from typing import Literal

from onsei.config import Positive, PositiveInt, options
from onsei.errors import ConfigError

HEAD_LEAST = 32
"""Channels of a diffusion head that are rotated, at least; the head has no fewer."""
ANALYTIC = (16_000, 1, 640)
"""Rate, channels and samples of a frame of the codec without weights."""


@options
class Network:
    """The language model over sketch tokens and the diffusion transformer over latents (Yang et al. 2025)."""

    block_size: PositiveInt = 16
    """Frames of a block: so many sketch tokens, then so many latents at once."""
    latent_dim: PositiveInt = 64
    """Channels of the codec's latents."""
    dim: PositiveInt = 1536
    """Channels of both transformers."""
    num_heads: PositiveInt = 24
    """Attention heads of both transformers."""
    lm_layers: PositiveInt = 36
    """Layers of the language model."""
    diff_layers: PositiveInt = 12
    """Layers of the diffusion transformer."""
    num_pitch: PositiveInt = 16384
    """Size of the sketch's vocabulary; two further tokens are its end and its padding."""
    timestep_features_dim: PositiveInt = 256
    """Fourier features of the diffusion time."""
    rotary_base_val: Positive = 20000.0
    """Base of the language model's rotary positions."""
    prompt_len: PositiveInt = 250
    """Frames of the prompt that are seen; shorter ones are padded."""
    lyrics_len: PositiveInt = 600
    """Phones, tags and stops of the lyrics that are seen; shorter lyrics are padded."""
    max_sentence: PositiveInt = 50
    """Sentences of a section that have a number of their own."""
    init_std: Positive = 0.02
    """Standard deviation of fresh weights."""

    @property
    def end(self) -> int:
        """The sketch token that ends a song."""
        return self.num_pitch

    @property
    def padding(self) -> int:
        """The sketch token behind the end, which no loss sees."""
        return self.num_pitch + 1

    @property
    def prefix(self) -> int:
        """Positions of the language model in front of the first sketch token: prompt, lyrics, start."""
        return self.prompt_len + self.lyrics_len + 1

    def check(self) -> None:
        """Refuse sizes that make no network.

        Raises:
            ConfigError: ``dim`` is not ``num_heads`` even heads of 32 channels or more.
        """
        width, rest = divmod(self.dim, self.num_heads)
        if rest or width % 2 or width < HEAD_LEAST:
            raise ConfigError(
                f"network.dim: {self.dim} for {self.num_heads} heads",
                f"choose dim = num_heads times an even number of at least {HEAD_LEAST}",
                ["network.dim"],
            )
        if self.timestep_features_dim % 2:
            raise ConfigError(
                f"network.timestep_features_dim: {self.timestep_features_dim} is odd",
                "choose an even number",
                ["network.timestep_features_dim"],
            )


@options
class Codec:
    """What lies between sound and latents: by default Oobleck of Stable Audio (Evans et al. 2024), at 25 frames a
    second."""

    kind: Literal["vae", "analytic"] = "vae"
    """`vae`: Oobleck, whose weights come from a model; `analytic`: pitch, voicing and envelope of a single voice at
    16 kHz, without weights, for trying out."""
    sample_rate: PositiveInt = 48000
    """Samples a second."""
    audio_channels: PositiveInt = 2
    """Channels of the sound."""
    channels: PositiveInt = 128
    """Channels of the outermost layer."""
    c_mults: tuple[PositiveInt, ...] = (1, 2, 4, 8, 16)
    """Channels of each layer, as multiples of the outermost."""
    strides: tuple[PositiveInt, ...] = (2, 4, 4, 6, 10)
    """Samples per step of each layer; their product are the samples of a frame."""

    @property
    def hop(self) -> int:
        """Samples of a frame."""
        product = 1
        for stride in self.strides:
            product *= stride
        return product

    @property
    def frame_rate(self) -> float:
        """Frames a second."""
        return self.sample_rate / self.hop

    def check(self) -> None:
        """Refuse layers that do not fit together.

        Raises:
            ConfigError: not as many multiples as strides, or an odd stride; a codec without weights of other sizes than
                it has.
        """
        if self.kind == "analytic" and (self.sample_rate, self.audio_channels, self.hop) != ANALYTIC:
            found = f"{self.sample_rate} Hz, {self.audio_channels} channels, hop {self.hop}"
            raise ConfigError(
                f"codec: {found}; the analytic one has 16000 Hz, 1 channel, hop 640",
                "start from the recipe tiny",
                ["codec.sample_rate", "codec.audio_channels", "codec.strides"],
            )
        if len(self.c_mults) != len(self.strides):
            raise ConfigError(
                f"codec.c_mults: {len(self.c_mults)} layers; codec.strides: {len(self.strides)}",
                "give one of each for every layer",
                ["codec.c_mults", "codec.strides"],
            )
        if any(stride % 2 for stride in self.strides):
            raise ConfigError(
                f"codec.strides: {list(self.strides)}: an odd one loses a sample a layer",
                "choose even numbers",
                ["codec.strides"],
            )
