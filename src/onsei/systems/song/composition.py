"""Composition: songs block by block, sketch first and sound behind it.

B songs under way, R rows of the language model (with guidance two a song), P frames of a block, Z latent channels,
C channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from onsei.decoding.diffusion import euler
from onsei.decoding.sampling import draw, penalized
from onsei.systems.song.config.answer import Sampling
from onsei.systems.song.model import Lyrics, Prompt, SongNetwork
from onsei.systems.song.model.block_encoder import joined


@dataclass(frozen=True)
class Block:
    """The next block of every song that goes on."""

    songs: tuple[int, ...]
    """Which songs these are."""
    sketch: Tensor
    """Tokens, (B, P)."""
    latents: Tensor
    """Shape (B, Z, P), float32."""


class Composer:
    """Songs that are composed side by side, each as it would be alone.

    Guidance (Ho and Salimans 2022) runs with and without lyrics and prompt in one batch: the weights are read once.

    Args:
        network: on its device, in its number format.
        lyrics: of B songs.
        prompt: of B songs.
        sampling: how tokens and latents are drawn.
        generators: one a song, on the CPU.
        max_frames: most frames of a song; whole blocks of them are composed.
        endless: no song may end before.
    """

    def __init__(
        self,
        network: SongNetwork,
        lyrics: Lyrics,
        prompt: Prompt,
        sampling: Sampling,
        generators: Sequence[torch.Generator],
        max_frames: int,
        *,
        endless: bool = False,
    ) -> None:
        self.network, self.sampling, self.generators = network, sampling, list(generators)
        self.sizes = network.sizes
        self.songs = tuple(range(len(lyrics)))
        """Songs that go on."""
        self.ended: set[int] = set()
        """Songs that came to their own end."""
        self.device = network.bos_token.device
        coefficient = sampling.cfg_coef if sampling.diff_cfg_coef is None else sampling.diff_cfg_coef
        self._pull = coefficient if sampling.dit_cfg_type != "none" else 1.0
        self._guided = sampling.cfg_coef != 1 or (sampling.dit_cfg_type == "global" and self._pull != 1)
        self._left = max_frames // self.sizes.block_size
        self._begun = False
        self._endless = endless
        self._recent = torch.full((len(lyrics), sampling.penalty_window), self.sizes.end, device=self.device)
        self._before = torch.zeros(
            len(lyrics), self.sizes.block_size, self.sizes.latent_dim, device=self.device, dtype=network.bos_token.dtype
        )
        self._start(lyrics, prompt)

    @torch.no_grad()
    def _start(self, lyrics: Lyrics, prompt: Prompt) -> None:
        """Read prompts and lyrics; without them once for all songs."""
        network, count = self.network, len(lyrics)
        prefix = network.prefix(lyrics.to(self.device), prompt.to(self.device))
        if self._guided:
            nothing = Lyrics.none(1).to(self.device), Prompt.none(1, self.sizes.latent_dim).to(self.device)
            prefix = torch.cat([prefix, network.prefix(*nothing)])
        places = prefix.size(1) + self._left * (self.sizes.block_size + 1)
        self._cache = network.ar_transformer.cache(len(prefix), places)
        self._state = network.ar_transformer(prefix, self._cache)[:, -1]
        if self._guided and count > 1:
            self._keep_rows(torch.tensor([*range(count), *([count] * count)], device=self.device))

    @torch.no_grad()
    def blocks(self) -> Iterator[Block]:
        """Block after block until every song has ended or is as long as it may be."""
        while self.songs and self._left:
            sketch = self._sketch()
            going = (sketch != self.sizes.end).all(1)
            if not bool(going.all()):
                self._drop(going)
                sketch = sketch[going]
                if not self.songs:
                    return
            latents = self._sound(sketch)
            self._before = latents.to(self._before.dtype)
            sound = joined(latents[:, None])
            self._hear(sound)
            self._left -= 1
            self._begun = True
            yield Block(self.songs, sketch.cpu(), sound.float().cpu())

    @torch.no_grad()
    def take(self, sketch: Tensor, latents: Tensor) -> None:
        """Go on behind blocks that are given, as if they had been composed here.

        Args:
            sketch: tokens, (B, T), whole blocks.
            latents: shape (B, Z, T).
        """
        size = self.sizes.block_size
        network, count = self.network, sketch.size(1) // size
        sketch, latents = sketch.to(self.device), latents.to(self.device, self._before.dtype)
        tokens = network.skeleton_emb(sketch).view(len(sketch), count, size, -1)
        heard = network.block_conv(latents)[:, :, None]
        self._feed(torch.cat([tokens, heard], 2).flatten(1, 2))
        self._before = latents[:, :, -size:].transpose(1, 2)
        self._recent = torch.cat([self._recent, sketch], 1)[:, -self.sampling.penalty_window :]
        self._left -= count
        self._begun = True

    def _sketch(self) -> Tensor:
        """The tokens of the next block, (B, P); the language model has read them."""
        tokens = []
        for _ in range(self.sizes.block_size):
            token = self._token()
            tokens.append(token)
            self._recent = torch.cat([self._recent[:, 1:], token[:, None]], 1)
            self._feed(self.network.skeleton_emb(token)[:, None])
        return torch.stack(tokens, 1)

    def _token(self) -> Tensor:
        sampling, count = self.sampling, len(self.songs)
        logits = self.network.skeleton_classifier(self._state).float()
        if self._guided:
            told, alone = logits[:count], logits[count:]
            logits = alone + sampling.cfg_coef * (told - alone)
        if sampling.penalty_repeat and self._begun:
            logits = penalized(logits, self._recent, sampling.penalty, self.sizes.end)
        if self._endless:
            logits[:, self.sizes.end] = -torch.inf
        if not sampling.use_sampling:
            likeliest: Tensor = logits.argmax(-1)
            return likeliest
        generators = [self.generators[song] for song in self.songs]
        return draw(logits, generators, temp=sampling.temp, top_k=sampling.top_k, top_p=sampling.top_p)

    def _sound(self, sketch: Tensor) -> Tensor:
        """The latents of a block, (B, P, Z), float32."""
        network, count, kind = self.network, len(self.songs), self._before.dtype
        tokens, hidden = network.skeleton_emb(sketch), self._state[:count]
        pulled = self._pull != 1
        if pulled:
            if self.sampling.dit_cfg_type == "h":
                hidden = torch.cat([hidden, torch.zeros_like(hidden)])
                tokens = torch.cat([tokens, torch.zeros_like(tokens)])
            else:
                hidden, tokens = self._state, torch.cat([tokens, tokens])
        before = torch.cat([self._before, self._before]) if pulled else self._before

        def velocity(x: Tensor, time: float) -> Tensor:
            noisy = torch.cat([x, x]) if pulled else x
            when = torch.full((len(noisy),), time, device=self.device, dtype=kind)
            found: Tensor = network.velocity(noisy.to(kind), when, hidden, tokens, before).float()
            if not pulled:
                return found
            told, alone = found.chunk(2)
            pulled_on: Tensor = alone + self._pull * (told - alone)
            return pulled_on

        def noise() -> Tensor:
            made = [torch.randn(start.shape[1:], generator=self.generators[song]) for song in self.songs]
            return torch.stack(made).to(self.device)

        start = torch.zeros(count, self.sizes.block_size, self.sizes.latent_dim, device=self.device)
        return euler(velocity, start, noise, self.sampling.steps, self.sampling.diff_temp)

    def _hear(self, sound: Tensor) -> None:
        self._feed(self.network.block_conv(sound.to(self._before.dtype)))

    def _feed(self, told: Tensor) -> None:
        """Let the language model read vectors, (B, S, C); with guidance the rows without lyrics read the same."""
        rows = torch.cat([told, told]) if self._guided else told
        self._state = self.network.ar_transformer(rows, self._cache)[:, -1]

    def _drop(self, going: Tensor) -> None:
        """Go on without the songs that have ended."""
        stay = going.nonzero()[:, 0]
        self.ended |= {song for song, goes in zip(self.songs, going.tolist(), strict=True) if not goes}
        rows = torch.cat([stay, stay + len(self.songs)]) if self._guided else stay
        self.songs = tuple(self.songs[place] for place in stay.tolist())
        self._recent, self._before = self._recent[stay], self._before[stay]
        self._keep_rows(rows)

    def _keep_rows(self, rows: Tensor) -> None:
        self._state = self._state[rows]
        self._cache.keep(rows)
