"""How lyrics in symbols are laid out for the network: each has a kind and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from onsei.systems.song.model.conditioners import Lyrics
from onsei.text.phones import SECTION, SENTENCE, TAGS, Phones


@dataclass(frozen=True)
class Layout:
    """Lyrics as rows of the table of symbols; what fits into the network's places."""

    symbols: tuple[int, ...]
    kinds: tuple[int, ...]
    """Row of the tag of each phone's section; of tags and marks their own."""
    sentences: tuple[int, ...]
    """Number of each phone's sentence in its section, from 1; of tags and marks 0."""
    cut: int
    """Symbols behind the last place, which the network does not see."""


def lay_out(symbols: Sequence[str], phones: Phones, places: int) -> Layout:
    """Number ``symbols``, up to ``places`` of them.

    Raises:
        ConfigError: symbols that the table does not have.
    """
    rows = phones.encode(symbols)
    kinds, sentences = [], []
    tag, sentence = 0, 1
    for symbol, row in zip(symbols, rows, strict=True):
        if symbol in TAGS:
            tag, sentence = row, 1
        own = symbol in TAGS or symbol in (SENTENCE, SECTION)
        kinds.append(row if own else tag)
        sentences.append(0 if own else sentence)
        sentence += symbol == SENTENCE
    kept = slice(places)
    return Layout(tuple(rows[kept]), tuple(kinds[kept]), tuple(sentences[kept]), max(0, len(rows) - places))


def batch(layouts: Sequence[Layout]) -> Lyrics:
    """Lyrics of several songs, padded."""
    longest = max(1, *(len(layout.symbols) for layout in layouts))

    def padded(rows: Sequence[tuple[int, ...]]) -> torch.Tensor:
        return torch.tensor([[*row, *([0] * (longest - len(row)))] for row in rows], dtype=torch.int64)

    return Lyrics(
        padded([layout.symbols for layout in layouts]),
        padded([layout.kinds for layout in layouts]),
        padded([layout.sentences for layout in layouts]),
        torch.tensor([len(layout.symbols) for layout in layouts], dtype=torch.int64),
    )
