"""Songs put together of syllables of others: every frame and phone is where it was, and chance is the items' own."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.data.row import Row
from onsei.systems.song.data.batches import Item, Piece
from onsei.systems.song.data.mixing import mixed, pieces
from onsei.systems.song.layout import lay_out
from onsei.text.phones import SYMBOLS, Phones

PHONES = Phones(SYMBOLS)
VOWELS = ("a", "i", "u", "e", "o")


def song(number, lengths, voice="alto"):
    """A song whose tokens say which song, and whose syllables are told by their vowel."""
    edges = np.cumsum([0, *lengths]).tolist()
    vowels = [VOWELS[(number + n) % 5] for n in range(len(lengths))]
    made = tuple(
        Piece((vowel,), first, last, n == 2, "[verse]")
        for n, (vowel, first, last) in enumerate(zip(vowels, edges, edges[1:], strict=False))
    )
    symbols = [
        "[verse]",
        *(mark for piece in made for mark in ([".", *piece.phones] if piece.begins else piece.phones)),
    ]
    tokens = torch.arange(edges[-1]) + 1000 * number
    return Item(
        lay_out(symbols, PHONES, 20), torch.zeros(0, 2), tokens, tokens.float().expand(2, -1),
        pieces=made, voice=voice, chance=number,
    )  # fmt: skip


songs = st.lists(st.lists(st.integers(1, 6), min_size=3, max_size=6), min_size=2, max_size=5)


@settings(max_examples=60, deadline=None)
@given(songs, st.integers(0, 99))
def test_syllables_keep_their_frames_and_phones(lengths, seed):
    items = [song(number, one) for number, one in enumerate(lengths)]
    items = [Item(**{**vars(item), "chance": seed + n}) for n, item in enumerate(items)]
    for item, found in zip(items, mixed(items, 1.0, PHONES, 20), strict=True):
        assert found.latents.shape == (2, len(found.sketch))
        assert torch.equal(found.latents[0], found.sketch.float())
        read, place = [], 0
        while place < len(found.sketch):  # what stands there is told by song and frame
            number, frame = divmod(int(found.sketch[place]), 1000)
            piece = next(one for one in items[number].pieces if one.first == frame)
            size = piece.last - piece.first
            assert found.sketch[place : place + size].tolist() == list(
                range(1000 * number + frame, 1000 * number + piece.last)
            )
            read += piece.phones
            place += size
        symbols = [PHONES.symbols[row] for row in found.layout.symbols]
        assert [symbol for symbol in symbols if symbol in VOWELS] == read
        assert len(read) == len(item.pieces)
        last = divmod(int(found.sketch[-1]), 1000)
        assert items[last[0]].pieces[-1].last == last[1] + 1  # its last syllable ended a song


def test_songs_of_other_voices_are_not_mixed_and_chance_is_the_items_own():
    items = [song(0, [2, 3, 4]), song(1, [3, 3, 3]), song(2, [2, 2, 2], "tenor")]
    once, again = (mixed(items, 1.0, PHONES, 20) for _ in range(2))
    assert all(torch.equal(a.sketch, b.sketch) for a, b in zip(once, again, strict=True))
    assert once[2] is items[2]  # the only tenor
    assert not any((one.sketch >= 2000).any() for one in once[:2])
    assert all(a is b for a, b in zip(mixed(items, 0.0, PHONES, 20), items, strict=True))
    short = mixed(items, 1.0, PHONES, 3)  # room for the tag and two phones
    assert all(len(one.layout.symbols) <= 3 and not one.ends for one in short[:2])


@pytest.mark.parametrize(
    ("parts", "count"),
    [
        ([("[verse]", 2)], 2),
        ([("[verse]", 1), ("[chorus]", 1)], 0),
        ([("[intro]", 0)], 0),
        (None, 0),
    ],
)
def test_only_timed_songs_of_one_section_have_pieces(parts, count):
    extra = {}
    if parts is not None:
        extra["sections"] = [
            {
                "tag": tag,
                "start": 0,
                "end": 1,
                "sentences": [[["あ", "a", 0.2 * n, 0.2 * n + 0.2] for n in range(size)]] if size else [],
            }
            for tag, size in parts
        ]
    found = pieces(Row("a", None, 1.0, "", extra=extra), 16)
    assert len(found) == count
    if count:
        assert [(one.first, one.last) for one in found] == [(0, 5), (5, 16)]
