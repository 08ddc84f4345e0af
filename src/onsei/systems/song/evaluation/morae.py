"""Which mora a singer begins where the true song is at its beginning: teacher-forced up to there, then on its own.

N places, B songs of a batch, J tokens of a beginning, M morae.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from onsei.data.row import Row
from onsei.systems.song.data.batches import Batch
from onsei.systems.song.data.timed import Timed
from onsei.systems.song.inference import Singer
from onsei.systems.song.sketch.frames import FRAME_RATE

AHEAD = 4
"""Tokens, of 40 ms each, that a beginning is told by: consonants last two of them."""
_MOST = 12
"""Places of a song that are looked at."""
_ROWS = 96
"""Places that the network is asked about at once."""
_TRUST = 5.0
"""Beginnings of a mora that count as much as what its phones tell of it."""
_LEAST = 1e-3
Tokens = NDArray[np.int64]


@dataclass(frozen=True)
class Place:
    """A frame of a song of the batch in which a mora begins."""

    song: int
    frame: int
    mora: str
    """Its phones."""


@dataclass
class Begun:
    """Beginnings of morae: what was sung there, the true tokens, and those that the singer went on with."""

    morae: list[str] = field(default_factory=list)
    true: list[Tokens] = field(default_factory=list)
    told: list[Tokens] = field(default_factory=list)

    def add(self, places: Sequence[Place], true: Tokens, told: Tokens) -> None:
        """Beginnings of a batch: ``true`` and ``told`` tokens, (N, J) each."""
        self.morae += [place.mora for place in places]
        self.true += list(true)
        self.told += list(told)

    def accuracies(self) -> tuple[float, float]:
        """Percent of beginnings whose ``told`` tokens, and whose ``true`` ones, say the mora that is sung there.

        Tokens say the mora under which they are likeliest, by how often each token stood at its place among the true
        beginnings of that mora, and of all with its first or its last phone: all but the one that is judged.
        """
        judge = _Judge(self.morae, np.stack(self.true))
        return judge.right(np.stack(self.told)), judge.right(np.stack(self.true))


class _Judge:
    """Naive Bayes over the tokens of a beginning, leaving out the one that is judged.

    Args:
        morae: what is sung at each place.
        true: its tokens, (N, J).
    """

    def __init__(self, morae: Sequence[str], true: Tokens) -> None:
        self.names, self.true = sorted(set(morae)), true
        self.sung = np.array([self.names.index(mora) for mora in morae])
        self.kinds = [  # of each mora: itself, its first phone, its last
            np.unique([part(name) for name in self.names], return_inverse=True)[1]
            for part in (str, lambda name: name.split()[0], lambda name: name.split()[-1])
        ]

    def right(self, tokens: Tokens) -> float:
        """Percent of places whose ``tokens`` (N, J) say what is sung there."""
        size = int(max(self.true.max(), tokens.max())) + 1
        scores = np.zeros((len(tokens), len(self.names)))
        for place in range(tokens.shape[1]):
            mora, first, last = (self._seen(kind, tokens, place, size) for kind in self.kinds)
            further = (first[0] / np.maximum(first[1], 1) + last[0] / np.maximum(last[1], 1)) / 2
            scores += np.log((mora[0] + _TRUST * (further + _LEAST)) / (mora[1] + _TRUST))
        return float(100 * (scores.argmax(1) == self.sung).mean())

    def _seen(self, kind: Tokens, tokens: Tokens, place: int, size: int) -> tuple[NDArray[np.float64], ...]:
        """How often each place's token was seen under each mora's kind, and how often the kind: (N, M) each."""
        counts = np.zeros((kind.max() + 1, size))
        own = kind[self.sung]
        np.add.at(counts, (own, self.true[:, place]), 1.0)
        same = own[:, None] == kind  # the one that is judged is among them
        again = same & (tokens[:, place] == self.true[:, place])[:, None]
        return counts[kind][:, tokens[:, place]].T - again, counts.sum(1)[kind] - same


def places(rows: Sequence[Row], lengths: Sequence[int], block: int) -> list[Place]:
    """Where morae of timed songs begin, in frames whose block holds all of the beginning; at most 12 a song."""
    found = []
    for song, (row, frames) in enumerate(zip(rows, lengths, strict=True)):
        sections = row.extra.get("sections")
        if sections is None:
            continue
        here = []
        for one in Timed.load(sections, row.id).syllables():
            first, last = round(one.start * FRAME_RATE), round(one.end * FRAME_RATE)
            if one.phones and first % block <= block - AHEAD and first + AHEAD <= min(last, frames):
                here.append(Place(song, first, " ".join(one.phones)))
        found += [here[n] for n in np.unique(np.linspace(0, len(here) - 1, min(_MOST, len(here))).round().astype(int))]
    return found


@torch.no_grad()
def continued(singer: Singer, batch: Batch, where: Sequence[Place]) -> Tokens:
    """The tokens (N, J) that the network finds likeliest from each place on, after the song's true past."""
    network, moved = singer.network, batch.to(singer.device)
    prefix = network.prefix(moved.lyrics, moved.prompt)
    found = []
    for begin in range(0, len(where), _ROWS):
        part = where[begin : begin + _ROWS]
        songs = torch.tensor([place.song for place in part], device=singer.device)
        frames = torch.tensor([place.frame for place in part], device=singer.device)
        each = torch.arange(len(part), device=singer.device)
        sketch, latents = moved.sketch[songs], moved.latents[songs].to(singer.dtype)
        for step in range(AHEAD):
            told = network.tell(prefix[songs], sketch, latents, moved.lengths[songs])
            sketch[each, frames + step] = told.logits[each, frames + step].argmax(-1)
        found.append(_beginnings(sketch, songs=each, frames=frames))
    return np.concatenate(found)


def begun(singer: Singer, batch: Batch, rows: Sequence[Row], right: Begun, wrong: Begun) -> None:
    """Beginnings of a batch, with the songs' own lyrics and each with those of the song before it."""
    where = places(rows, batch.lengths.tolist(), singer.network.sizes.block_size)
    if not where:
        return
    true = _truth(batch, where)
    right.add(where, true, continued(singer, batch, where))
    lyrics = batch.lyrics.__class__(*(part.roll(1, 0) for part in vars(batch.lyrics).values()))
    other = Batch(lyrics, batch.prompt, batch.sketch, batch.latents, batch.lengths, batch.ends)
    symbols = [row.extra.get("symbols") for row in rows]
    where = [place for place in where if symbols[place.song] != symbols[place.song - 1]]
    if where:
        wrong.add(where, _truth(batch, where), continued(singer, other, where))


def _truth(batch: Batch, where: Sequence[Place]) -> Tokens:
    songs, frames = (torch.tensor([getattr(place, name) for place in where]) for name in ("song", "frame"))
    return _beginnings(batch.sketch, songs, frames)


def _beginnings(sketch: Tensor, songs: Tensor, frames: Tensor) -> Tokens:
    found: Tokens = torch.stack([sketch[songs, frames + step] for step in range(AHEAD)], 1).cpu().numpy()
    return found
