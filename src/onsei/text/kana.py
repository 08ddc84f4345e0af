"""Kana as sung phones and back; Latin spellings of kana.

Singing keeps the vowels that speech drops, so there is no devoicing here. Open JTalk's ``kw gw ty fy``, which the table
of phones lacks, are written with two phones each.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

VOWELS = "aiueo"
_LONG = "ー"
_ROWS = {
    "": "アイウエオ", "k": "カキクケコ", "g": "ガギグゲゴ", "s": "サ スセソ", "z": "ザ ズゼゾ", "t": "タ  テト",
    "d": "ダ  デド", "n": "ナニヌネノ", "h": "ハヒ ヘホ", "b": "バビブベボ", "p": "パピプペポ", "m": "マミムメモ",
    "y": "ヤ ユ ヨ", "r": "ラリルレロ", "w": "ワ    ",
}  # fmt: skip
_SINGLE = {
    "シ": "sh i", "ジ": "j i", "チ": "ch i", "ツ": "ts u", "フ": "f u", "ヴ": "v u", "ン": "N", "ッ": "cl",
    "ヂ": "j i", "ヅ": "z u", "ヲ": "o", "ヰ": "i", "ヱ": "e", "ヷ": "v a", "ヸ": "v i", "ヹ": "v e", "ヺ": "v o",
    "ァ": "a", "ィ": "i", "ゥ": "u", "ェ": "e", "ォ": "o", "ャ": "y a", "ュ": "y u", "ョ": "y o", "ヮ": "w a",
    "ヵ": "k a", "ヶ": "k e",
}  # fmt: skip
_Y = {"ャ": "a", "ュ": "u", "ョ": "o"}
_SMALL = {"ァ": "a", "ィ": "i", "ゥ": "u", "ェ": "e", "ォ": "o"}
_PALATAL = {
    "キ": "ky", "ギ": "gy", "シ": "sh", "ジ": "j", "チ": "ch", "ニ": "ny", "ヒ": "hy", "ビ": "by", "ピ": "py",
    "ミ": "my", "リ": "ry", "ヂ": "j",
}  # fmt: skip
_SPLIT = {"テ": "t y", "フ": "f y", "デ": "dy", "ヴ": "v y"}
_JOINED = {
    "フ": ("f", "ァィェォ"), "ヴ": ("v", "ァィェォ"), "ツ": ("ts", "ァィェォ"), "ウ": ("w", "ァィェォ"),
    "ク": ("k w", "ァィェォ"), "グ": ("g w", "ァィェォ"), "テ": ("t", "ィ"), "デ": ("d", "ィ"), "ト": ("t", "ゥ"),
    "ド": ("d", "ゥ"), "ス": ("s", "ィ"), "ズ": ("z", "ィ"), "イ": ("y", "ェ"),
}  # fmt: skip


def _table() -> dict[str, tuple[str, ...]]:
    made = {
        kana: f"{consonant} {vowel}"
        for consonant, row in _ROWS.items()
        for kana, vowel in zip(row, VOWELS, strict=True)
        if kana != " "
    }
    made |= _SINGLE
    for (stem, consonant), (small, vowel) in product(_PALATAL.items(), (_Y | {"ェ": "e"}).items()):
        made[stem + small] = f"{consonant} {vowel}"
    for (stem, consonant), (small, vowel) in product(_SPLIT.items(), _Y.items()):
        made[stem + small] = f"{consonant} {vowel}"
    for stem, (consonant, smalls) in _JOINED.items():
        made |= {stem + small: f"{consonant} {_SMALL[small]}" for small in smalls}
    made |= {"クヮ": "k w a", "グヮ": "g w a"}
    return {kana: tuple(phones.split()) for kana, phones in made.items()}


MORAE = _table()
"""Phones of every mora in katakana, the moraic nasal and the closure among them."""
_FIRST: dict[tuple[str, ...], str] = {}
for _kana, _phones in sorted(MORAE.items(), key=lambda entry: (entry[0] in _SINGLE, len(entry[0]))):
    _FIRST.setdefault(_phones, _kana)
_KATAKANA = {code: code + 0x60 for code in range(ord("ぁ"), ord("ゖ") + 1)}


class Mora(NamedTuple):
    """A mora and where it stands in its text."""

    start: int
    end: int
    phones: tuple[str, ...]
    """Empty for a character that is no kana."""


def morae(text: str) -> list[Mora]:
    """The morae of ``text``, hiragana or katakana; a long-vowel mark repeats the vowel before it.

    Characters that are no kana, and a long-vowel mark with nothing to lengthen, come as a mora without phones.
    """
    written = text.translate(_KATAKANA)
    found: list[Mora] = []
    last, place = "", 0
    while place < len(written):
        size = 2 if written[place : place + 2] in MORAE else 1
        piece = written[place : place + size]
        phones = ((last,) if last else ()) if piece == _LONG else MORAE.get(piece, ())
        if phones:
            last = phones[-1] if phones[-1] in (*VOWELS, "N") else ""
        found.append(Mora(place, place + size, phones))
        place += size
    return found


def spelled(phones: Sequence[str]) -> str:
    """Katakana that ``morae`` reads as ``phones``; a phone that ends no mora is left as it is, between brackets."""
    text, place = [], 0
    while place < len(phones):
        for size in (3, 2, 1):
            kana = _FIRST.get(tuple(phones[place : place + size]))
            if kana is not None:
                text.append(kana)
                place += size
                break
        else:
            text.append(f"[{phones[place]}]")
            place += 1
    return "".join(text)


_HEPBURN = {
    "".join(phones).lower(): phones for kana, phones in MORAE.items() if kana not in _SINGLE or kana in "シジチツフヴ"
}
_KUNREI = {
    "si": "sh i", "ti": "ch i", "tu": "ts u", "hu": "f u", "zi": "j i", "di": "j i", "du": "z u", "wo": "o",
    **{f"{stem}y{vowel}": f"{phone} {vowel}" for stem, phone in (("s", "sh"), ("t", "ch"), ("z", "j"), ("j", "j"))
       for vowel in "auo"},
}  # fmt: skip
_LATIN = _HEPBURN | {word: tuple(phones.split()) for word, phones in _KUNREI.items()}
_NASAL = re.compile("n'|nn(?![aiueoy])|n(?![aiueoy])|m(?=[bpm])")
_DOUBLED = re.compile(r"([kstpgdbzjcfhr])(?=\1)|t(?=ch)")


def latin(text: str) -> tuple[str, ...] | None:
    """Phones of Japanese in Latin letters, Hepburn or Kunrei; None where ``text`` is not that.

    ``-`` lengthens a vowel, and so does a vowel with a macron or a circumflex.
    """
    word = text.lower()
    for marked, plain in zip("āīūēōâîûêô", "aiueoaiueo", strict=True):
        word = word.replace(marked, plain + plain)
    phones: list[str] = []
    place = 0
    while place < len(word):
        if (nasal := _NASAL.match(word, place)) is not None:
            phones.append("N")
            place = nasal.end()
        elif (doubled := _DOUBLED.match(word, place)) is not None:
            phones.append("cl")
            place = doubled.end()
        elif word[place] in "-ー" and phones and phones[-1] in VOWELS:
            phones.append(phones[-1])
            place += 1
        else:
            size = next((size for size in (4, 3, 2, 1) if word[place : place + size] in _LATIN), 0)
            if not size:
                return None
            phones += _LATIN[word[place : place + size]]
            place += size
    return tuple(phones) or None
