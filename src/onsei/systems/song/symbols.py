"""The table of phones, tags and stops, and how lyrics written in it are laid out for the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from onsei.errors import ConfigError
from onsei.systems.song.model.conditioners import Lyrics

SENTENCE, SECTION = ".", ","
"""What ends a sentence, and what stands between sections."""


def is_tag(symbol: str) -> bool:
    """Whether a symbol names a kind of section: ``[verse]``."""
    return symbol.startswith("[") and symbol.endswith("]")


@dataclass(frozen=True)
class Layout:
    """Lyrics as numbers, and what of them was left out."""

    symbols: tuple[int, ...]
    kinds: tuple[int, ...]
    sentences: tuple[int, ...]
    unknown: tuple[str, ...]
    """Symbols that are not in the table, in order."""
    cut: int
    """Symbols behind the last place."""


class Symbols:
    """The table of symbols that a network was trained with.

    Args:
        symbols: all of them; the first is the empty one.

    Raises:
        ConfigError: the first is not empty, or one comes twice.
    """

    def __init__(self, symbols: Sequence[str]) -> None:
        self.all = tuple(symbols)
        self._places = {symbol: place for place, symbol in enumerate(self.all)}
        if self.all[:1] != ("",):
            raise ConfigError("symbols: the first is not the empty one", "give the table that the network has")
        if len(self._places) != len(self.all):
            twice = next(symbol for place, symbol in enumerate(self.all) if self._places[symbol] != place)
            raise ConfigError(f"symbols: {twice!r} comes twice", "give the table that the network has")

    def __len__(self) -> int:
        return len(self.all)

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._places

    def lay_out(self, text: str, places: int) -> Layout:
        """Number the symbols of ``text``, which stand between spaces, up to ``places`` of them.

        A phone has the kind of the tag before it; its sentence counts from 1 behind each tag, and one further behind
        each ``.``. What the table does not have is left out and told.
        """
        symbols, kinds, sentences, unknown = [], [], [], []
        tag, sentence = 0, 1
        for symbol in text.split(" "):
            place = self._places.get(symbol)
            if place is None:
                unknown.append(symbol)
                continue
            symbols.append(place)
            if is_tag(symbol):
                tag, sentence = place, 1
            if is_tag(symbol) or symbol in (SENTENCE, SECTION):
                kinds.append(place)
                sentences.append(0)
            else:
                kinds.append(tag)
                sentences.append(sentence)
            sentence += symbol == SENTENCE
        kept = slice(places)
        return Layout(
            tuple(symbols[kept]),
            tuple(kinds[kept]),
            tuple(sentences[kept]),
            tuple(unknown),
            max(0, len(symbols) - places),
        )

    @staticmethod
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
