"""Songs as the network learns from them: latents, sketch tokens, lyrics and prompts, padded to one length.

B batch, T frames, P frames of a block, Z latent channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from onsei.data.loader import Fault
from onsei.systems.song.config import Network
from onsei.systems.song.layout import Layout, batch
from onsei.systems.song.model import Lyrics, Prompt


@dataclass(frozen=True)
class Piece:
    """A syllable of a song."""

    phones: tuple[str, ...]
    first: int
    """Its first frame."""
    last: int
    """The frame behind it: where the next syllable begins, or the song ends."""
    begins: bool
    """Whether a sentence begins with it, other than the song's first."""
    tag: str
    """Of its section."""


@dataclass(frozen=True)
class Item:
    """One song, or a piece of one."""

    layout: Layout
    prompt: Tensor
    """Latents of the prompt, (F, Z); no frames without one."""
    sketch: Tensor
    """Tokens, (T,)."""
    latents: Tensor
    """Shape (Z, T)."""
    ends: bool = True
    """Whether the song ends with its last frame; a piece that was cut out does not."""
    pieces: tuple[Piece, ...] = ()
    """Its syllables, where they are timed and it has one section."""
    voice: str = ""
    """Who sings."""
    chance: int = 0
    """What is drawn about the song when it is mixed with others."""


@dataclass(frozen=True)
class Batch:
    """Songs of one step."""

    lyrics: Lyrics
    prompt: Prompt
    sketch: Tensor
    """Tokens, (B, T); behind the lengths the end token."""
    latents: Tensor
    """Shape (B, Z, T)."""
    lengths: Tensor
    """Frames of each song, whole blocks, (B,)."""
    ends: Tensor
    """Whether each song ends there: bool, (B,)."""
    faults: tuple[Fault, ...] = ()

    @property
    def size(self) -> int:
        """Songs."""
        return len(self.lengths)

    def to(self, device: torch.device, *, non_blocking: bool = False) -> Batch:
        """The batch on ``device``."""

        def moved(part: Tensor) -> Tensor:
            return part.to(device, non_blocking=non_blocking)

        return Batch(
            self.lyrics.to(device), self.prompt.to(device), moved(self.sketch), moved(self.latents),
            moved(self.lengths), moved(self.ends), self.faults,
        )  # fmt: skip


def collated(items: Sequence[Item], network: Network, faults: tuple[Fault, ...] = ()) -> Batch:
    """A batch of songs. A last block that is not whole is left off, and the song then does not end there.

    Raises:
        ValueError: a song shorter than a block, or with other numbers of tokens and latents.
    """
    size = network.block_size
    lengths = [len(item.sketch) // size * size for item in items]
    if min(lengths) < size or any(len(item.sketch) != item.latents.size(1) for item in items):
        raise ValueError("songs need a whole block, and a token for every latent")
    longest = max(lengths)
    prompts = [item.prompt[: network.prompt_len] for item in items]
    held = max(1, *(len(prompt) for prompt in prompts))
    return Batch(
        batch([item.layout for item in items]),
        Prompt(
            torch.stack([pad(prompt, (0, 0, 0, held - len(prompt))) for prompt in prompts]),
            torch.tensor([len(prompt) for prompt in prompts]),
        ),
        torch.stack([
            pad(item.sketch[:length].long(), (0, longest - length), value=network.end)
            for item, length in zip(items, lengths, strict=True)
        ]),
        torch.stack([
            pad(item.latents[:, :length], (0, longest - length)) for item, length in zip(items, lengths, strict=True)
        ]),
        torch.tensor(lengths),
        torch.tensor([item.ends and len(item.sketch) == length for item, length in zip(items, lengths, strict=True)]),
        faults,
    )  # fmt: skip
