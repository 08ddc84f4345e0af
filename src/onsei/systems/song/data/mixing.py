"""Songs put together of syllables of several: of a small corpus there are then more than can be learned by heart.

F frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from onsei.data.row import Row
from onsei.systems.song.data.batches import Item, Piece
from onsei.systems.song.data.timed import Timed
from onsei.systems.song.layout import lay_out
from onsei.systems.song.sketch.frames import FRAME_RATE
from onsei.text.phones import SENTENCE, Phones

_JUMP = 0.5
"""Share of syllables behind which another song goes on."""


def pieces(row: Row, frames: int) -> tuple[Piece, ...]:
    """The syllables of a row with the frames up to the next one; none of rows of several sections, or without times."""
    sections = row.extra.get("sections")
    parts = Timed.load(sections, row.id).parts if sections is not None else ()
    if len(parts) != 1 or not parts[0].sentences:
        return ()
    found = [
        (one.phones, round(one.start * FRAME_RATE), number > 0 and place == 0)
        for number, sentence in enumerate(parts[0].sentences)
        for place, one in enumerate(sentence)
    ]
    ends = [*(start for _, start, _ in found[1:]), frames]
    made = [
        Piece(phones, first, min(last, frames), begins, parts[0].tag)
        for (phones, first, begins), last in zip(found, ends, strict=True)
    ]
    return tuple(made) if all(0 <= piece.first < piece.last for piece in made) else ()


def mixed(items: Sequence[Item], share: float, phones: Phones, places: int) -> list[Item]:
    """The same songs, a ``share`` of them put together of syllables of all: as many as they had.

    Only songs of one tag and voice go together. All that is drawn follows from the items' own chance.

    Args:
        items: of a batch.
        share: 0 to 1.
        phones: the table of symbols.
        places: symbols that the network reads.
    """
    found = []
    for item in items:
        random = np.random.default_rng(item.chance)
        others = [one for one in items if one.pieces and _kind(one) == _kind(item)] if item.pieces else []
        chosen = len(others) > 1 and random.random() < share
        found.append(_together(item, others, random, phones, places) if chosen else item)
    return found


def _kind(item: Item) -> tuple[str, str]:
    return item.pieces[0].tag, item.voice


def _together(item: Item, others: Sequence[Item], random: np.random.Generator, phones: Phones, places: int) -> Item:
    """A song of as many syllables as ``item``; its last one ends a song."""
    source, at = item, 0
    symbols, parts = [item.pieces[0].tag], list[tuple[Item, Piece]]()
    for number in range(len(item.pieces)):
        last = number == len(item.pieces) - 1
        if number and (last or at >= len(source.pieces) - 1 or random.random() < _JUMP):
            source = others[int(random.integers(len(others)))]
            at = len(source.pieces) - 1 if last else int(random.integers(max(1, len(source.pieces) - 1)))
        piece = source.pieces[at]
        added = [*([SENTENCE] if piece.begins and number else []), *piece.phones]
        if len(symbols) + len(added) > places:
            break
        symbols += added
        parts.append((source, piece))
        at += 1
    return replace(
        item,
        layout=lay_out(symbols, phones, places),
        sketch=torch.cat([one.sketch[piece.first : piece.last] for one, piece in parts]),
        latents=torch.cat([one.latents[:, piece.first : piece.last] for one, piece in parts], 1),
        ends=item.ends and parts[-1][1] is parts[-1][0].pieces[-1],
    )
