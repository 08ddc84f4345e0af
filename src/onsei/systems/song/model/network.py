"""The whole network: sketch language model, block encoder, diffusion transformer, conditioners (Yang et al. 2025).

B batch, T frames, N blocks, P frames of a block, K valid blocks of a batch, Z latent channels, C channels, V sketch
tokens. Names of the parts are those of the released checkpoints.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from onsei.nn.masks import length_mask
from onsei.systems.song.config.network import Network
from onsei.systems.song.model.block_encoder import BlockEncoder, blocks
from onsei.systems.song.model.conditioners import ConditionProvider, LyricConditioner, Lyrics, Prompt, PromptConditioner
from onsei.systems.song.model.diffusion import DiffusionTransformer, FourierFeatures
from onsei.systems.song.model.sketch_lm import SketchLM


@dataclass(frozen=True)
class Told:
    """What the language model says of songs that it is told."""

    logits: Tensor
    """Of the next sketch token, shape (B, T + 1, V + 1)."""
    targets: Tensor
    """The next sketch token: the song's, then its end, then padding; shape (B, T + 1)."""
    hidden: Tensor
    """At the last sketch token of each block, shape (B, N, C)."""


@dataclass(frozen=True)
class Draws:
    """All that is left to chance in a training step."""

    time: Tensor
    """Diffusion time of each valid block, (K,)."""
    noise: Tensor
    """Shape (K, P, Z)."""
    no_hidden: Tensor
    """Blocks whose diffusion does without the hidden state: bool, (K,)."""
    no_sketch: Tensor
    """Blocks whose diffusion does without the sketch: bool, (K,)."""
    no_lyrics: Tensor
    """Songs without lyrics: bool, (B,)."""
    no_prompt: Tensor
    """Songs without prompt: bool, (B,)."""
    places: Tensor | None = None
    """Which of the batch's valid blocks the diffusion learns from, int64 (K,); all of them where there is none."""

    def to(self, device: torch.device) -> Draws:
        """The same on ``device``."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{name: part.to(device) for name, part in parts.items() if part is not None})


@dataclass(frozen=True)
class Scores:
    """What a training step's losses are made of."""

    told: Told
    velocity: Tensor
    """As predicted, (K, P, Z)."""
    wanted: Tensor
    """As it should be: noise less song, (K, P, Z)."""


class SongNetwork(nn.Module):
    """SongBloom.

    Args:
        sizes: of all parts.
        symbols: size of the table of phones, tags and stops.

    Raises:
        ConfigError: sizes that make no network.
    """

    def __init__(self, sizes: Network, symbols: int) -> None:
        super().__init__()
        sizes.check()
        self.sizes = sizes
        dim = sizes.dim
        self.bos_token = nn.Parameter(torch.empty(dim))
        self.condition_provider = ConditionProvider(
            LyricConditioner(symbols, dim, sizes.lyrics_len, sizes.max_sentence),
            PromptConditioner(sizes.latent_dim, dim, sizes.prompt_len),
        )
        self.skeleton_emb = nn.Embedding(sizes.num_pitch + 2, dim)
        self.ar_transformer = SketchLM(dim, sizes.num_heads, sizes.lm_layers, sizes.rotary_base_val)
        self.skeleton_classifier = nn.Sequential(
            nn.Linear(dim, dim, bias=False), nn.SiLU(), nn.Linear(dim, sizes.num_pitch + 1)
        )
        self.block_conv = BlockEncoder(sizes.block_size, sizes.latent_dim, dim)
        self.project_in = nn.Linear(sizes.latent_dim, dim)
        self.project_out = nn.Linear(dim, sizes.latent_dim)
        self.timestep_features = FourierFeatures(sizes.timestep_features_dim)
        self.to_timestep_embed = nn.Sequential(
            nn.Linear(sizes.timestep_features_dim, dim, bias=False), nn.SiLU(), nn.Linear(dim, dim)
        )
        self.nar_dit = DiffusionTransformer(dim, sizes.num_heads, sizes.diff_layers)
        self.initialize()

    def initialize(self) -> None:
        """Fresh weights: a normal distribution everywhere, also in the diffusion transformer's last layers."""
        std = self.sizes.init_std
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=std)
                if isinstance(module, nn.Linear) and module.bias is not None:
                    nn.init.zeros_(module.bias)
                if isinstance(module, nn.Embedding) and module.padding_idx is not None:
                    with torch.no_grad():
                        module.weight[module.padding_idx] = 0
        nn.init.normal_(self.bos_token, std=std)

    def forward(
        self, lyrics: Lyrics, prompt: Prompt, sketch: Tensor, latents: Tensor, lengths: Tensor, draws: Draws
    ) -> Scores:
        """One training step over whole songs; gradients of the diffusion reach the language model by its hidden states.

        Args:
            lyrics: of B songs.
            prompt: of B songs.
            sketch: tokens, (B, T); behind the lengths the end token.
            latents: shape (B, Z, T).
            lengths: frames of each song, whole blocks, (B,).
            draws: see there.
        """
        prefix = self.prefix(lyrics.without(draws.no_lyrics), prompt.without(draws.no_prompt))
        told = self.tell(prefix, sketch, latents, lengths)
        there, tokens, song, before = self.pieces(sketch, latents, lengths)
        hidden = told.hidden[there]
        if draws.places is not None:
            hidden, tokens, song, before = (each[draws.places] for each in (hidden, tokens, song, before))
        part = draws.time[:, None, None]
        noisy = (1 - part) * song + part * draws.noise
        hidden = hidden.masked_fill(draws.no_hidden[:, None], 0.0)
        vectors = self.skeleton_emb(tokens).masked_fill(draws.no_sketch[:, None, None], 0.0)
        return Scores(told, self.velocity(noisy, draws.time, hidden, vectors, before), draws.noise - song)

    def prefix(self, lyrics: Lyrics, prompt: Prompt) -> Tensor:
        """What the language model is told before the first sketch token: prompt, lyrics, start. (B, prefix, C)."""
        told = self.condition_provider(lyrics, prompt)
        start = self.bos_token.to(told.dtype).expand(len(told), 1, -1)
        return torch.cat([told, start], 1)

    def tell(self, prefix: Tensor, sketch: Tensor, latents: Tensor, lengths: Tensor) -> Told:
        """Run the language model over whole songs, each block's sound told behind its sketch.

        Args:
            prefix: as ``prefix`` gives it, (B, prefix, C).
            sketch: tokens, (B, T); behind the lengths the end token.
            latents: shape (B, Z, T).
            lengths: frames of each song, whole blocks, (B,).
        """
        size = self.sizes.block_size
        batch, frames = sketch.shape
        tokens = self.skeleton_emb(sketch).view(batch, frames // size, size, -1)
        heard = self.block_conv(latents.to(tokens.dtype))[:, :, None]  # (B, N, 1, C)
        told = torch.cat([tokens, heard], 2).flatten(1, 2)
        states = self.ar_transformer(torch.cat([prefix, told], 1))[:, prefix.size(1) - 1 :]
        place = torch.arange(states.size(1), device=states.device)
        last = (place + 1) % (size + 1) == 0
        logits = self.skeleton_classifier(states[:, ~last])
        counted = length_mask(lengths + 1, frames + 1, sketch.device)
        targets = torch.where(counted, pad(sketch, (0, 1), value=self.sizes.end), self.sizes.padding)
        return Told(logits, targets, states[:, last])

    def velocity(self, noisy: Tensor, time: Tensor, hidden: Tensor, sketch: Tensor, before: Tensor) -> Tensor:
        """The way of a block's latents from the song to noise, at ``noisy``.

        Args:
            noisy: shape (K, P, Z).
            time: from 0, the song, to 1, noise; shape (K,).
            hidden: the language model's state at the block's last sketch token, (K, C).
            sketch: the block's tokens as ``skeleton_emb`` has them, (K, P, C).
            before: latents of the block before, zeros before the first; (K, P, Z).

        Returns:
            shape (K, P, Z).
        """
        size = self.sizes.block_size
        when = self.to_timestep_embed(self.timestep_features(time))
        told = [when[:, None], hidden[:, None], sketch, self.project_in(before), self.project_in(noisy)]
        out: Tensor = self.project_out(self.nar_dit(torch.cat(told, 1))[:, -size:])
        return out

    def pieces(self, sketch: Tensor, latents: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The blocks that songs really have, one after the other.

        Args:
            sketch: tokens, (B, T).
            latents: shape (B, Z, T).
            lengths: frames of each song, whole blocks, (B,).

        Returns:
            which of the (B, N) blocks they are, tokens (K, P), latents (K, P, Z), latents of the blocks before.
        """
        size = self.sizes.block_size
        sound = blocks(latents, size)  # (B, N, P, Z)
        past = pad(sound, (0, 0, 0, 0, 1, 0))[:, :-1]
        there = length_mask(lengths // size, sound.size(1), sound.device)
        return there, sketch.view(len(sketch), -1, size)[there], sound[there], past[there]
