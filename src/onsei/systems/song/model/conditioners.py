"""What stands before a song in the language model's sequence: the prompt's latents and the lyrics.

B batch, L places of lyrics, F frames, Z latent channels, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from onsei.nn.masks import length_mask


@dataclass(frozen=True)
class Lyrics:
    """Lyrics as the network reads them; each of shape (B, L), int64, behind the ``lengths`` whatever there is."""

    symbols: Tensor
    """Phones, tags and stops, by their place in the table of symbols."""
    kinds: Tensor
    """Of a phone the tag of its section, 0 before any; of tags and stops themselves."""
    sentences: Tensor
    """Number of the sentence in its section, from 1; of tags and stops 0."""
    lengths: Tensor
    """Places that are taken, shape (B,)."""

    def to(self, device: torch.device | str) -> Lyrics:
        """The same on ``device``."""
        return Lyrics(*(part.to(device) for part in (self.symbols, self.kinds, self.sentences, self.lengths)))

    def __len__(self) -> int:
        return len(self.lengths)

    def without(self, songs: Tensor) -> Lyrics:
        """The same with those of ``songs``, bool (B,), as ``none`` has them."""
        first = torch.arange(self.symbols.size(1), device=songs.device) == 0
        return Lyrics(
            self.symbols.masked_fill(songs[:, None], 0),
            self.kinds.masked_fill(songs[:, None], 0),
            torch.where(songs[:, None], first.long(), self.sentences),
            torch.where(songs, 1, self.lengths),
        )

    @staticmethod
    def none(count: int) -> Lyrics:
        """No lyrics, as the released network was trained on it: the empty symbol once, in the first sentence."""
        zero = torch.zeros(count, 1, dtype=torch.int64)
        return Lyrics(zero, zero, zero + 1, torch.ones(count, dtype=torch.int64))


@dataclass(frozen=True)
class Prompt:
    """Latents of what is to be taken up."""

    latents: Tensor
    """Shape (B, F, Z)."""
    lengths: Tensor
    """Frames of each, shape (B,); 0 where there is no prompt."""

    def to(self, device: torch.device | str) -> Prompt:
        """The same on ``device``."""
        return Prompt(self.latents.to(device), self.lengths.to(device))

    def without(self, songs: Tensor) -> Prompt:
        """The same without those of ``songs``, bool (B,)."""
        return Prompt(self.latents, self.lengths.masked_fill(songs, 0))

    @staticmethod
    def none(count: int, channels: int) -> Prompt:
        """No prompt."""
        return Prompt(torch.zeros(count, 1, channels), torch.zeros(count, dtype=torch.int64))


class LyricConditioner(nn.Module):
    """Each place is the sum of the embeddings of its symbol, its kind and its sentence.

    Args:
        symbols: size of the table of symbols.
        dim: C.
        places: L, fixed; shorter lyrics are padded with ``blank_emb``.
        sentences: sentence numbers that have an embedding.
    """

    def __init__(self, symbols: int, dim: int, places: int, sentences: int) -> None:
        super().__init__()
        self.places = places
        self.output_proj = nn.Embedding(symbols, dim, padding_idx=0)
        self.blank_emb = nn.Parameter(torch.zeros(1, dim), requires_grad=False)
        self.sentence_idx_in_structure_emb = nn.Embedding(sentences, dim)

    def forward(self, lyrics: Lyrics) -> Tensor:
        """Shape (B, L, C)."""
        room = (0, self.places - lyrics.symbols.size(1))  # a negative one cuts
        symbols, kinds, sentences = (pad(part, room) for part in (lyrics.symbols, lyrics.kinds, lyrics.sentences))
        sentences = sentences.clamp(max=self.sentence_idx_in_structure_emb.num_embeddings - 1)
        there = length_mask(lyrics.lengths, self.places, symbols.device)[..., None]
        found = self.output_proj(symbols) + self.output_proj(kinds) + self.sentence_idx_in_structure_emb(sentences)
        return torch.where(there, found, self.blank_emb)


class PromptConditioner(nn.Module):
    """Latents as vectors, zeros behind them.

    Args:
        latent_dim: Z.
        dim: C.
        frames: F, fixed; shorter prompts are padded, longer ones cut.
    """

    def __init__(self, latent_dim: int, dim: int, frames: int) -> None:
        super().__init__()
        self.frames = frames
        self.output_proj = nn.Linear(latent_dim, dim, bias=False)

    def forward(self, prompt: Prompt) -> Tensor:
        """Shape (B, F, C)."""
        latents = pad(prompt.latents, (0, 0, 0, self.frames - prompt.latents.size(1)))
        there = length_mask(prompt.lengths, self.frames, latents.device)[..., None]
        out: Tensor = self.output_proj(latents.to(self.output_proj.weight.dtype)) * there
        return out


class ConditionProvider(nn.Module):
    """Both conditioners, and their order in the sequence: prompt, then lyrics."""

    def __init__(self, lyrics: LyricConditioner, prompt: PromptConditioner) -> None:
        super().__init__()
        self.conditioners = nn.ModuleDict({"lyrics": lyrics, "prompt_wav": prompt})

    def forward(self, lyrics: Lyrics, prompt: Prompt) -> Tensor:
        """Shape (B, F + L, C)."""
        return torch.cat([self.conditioners["prompt_wav"](prompt), self.conditioners["lyrics"](lyrics)], 1)
