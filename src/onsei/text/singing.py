"""Lyrics as sung phones: Japanese in any script, English words among it, and a report of what could not be read.

Which language a word is in is told by its letters alone: Latin letters are English, all else is Japanese (kanji too).
Japanese is read by Open JTalk, whose katakana become phones by ``text.kana``, so that no vowel is devoiced and long
vowels, geminates and particles are as they are sung. English is looked up in a dictionary. What neither knows becomes
``UNK``, or the names of its letters, and is counted.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from onsei.text import english, japanese, kana

English = Literal["arpabet", "katakana"]
"""How English words are sung: with their own sounds, or as Japanese reads them where it can."""
UNKNOWN = "UNK"
_LATIN = re.compile("[A-Za-z\u00c0-\u024f](?:['’]?[A-Za-z\u00c0-\u024f])*'?")
_WORD = re.compile("[A-Za-z0-9\u00c0-\u024f](?:['’]?[A-Za-z0-9\u00c0-\u024f])*'?")
_JAPANESE = re.compile("[ぁ-ゖァ-ヺー々〆〇\u3400-\u9fff\U00020000-\U000323af]")
_CLEAN = re.compile(
    "[^ぁ-ゖァ-ヺー・々〆〇\u3400-\u9fff\U00020000-\U000323af\\s\u3000-\u3002,.!?、。，．！？…~〜～「」『』（）()]"
)
_OLD = str.maketrans({"ヷ": "ヴァ", "ヸ": "ヴィ", "ヹ": "ヴェ", "ヺ": "ヴォ"})
"""Kana that Open JTalk leaves out."""
_TAG = re.compile(r"\[[A-Za-z0-9 _-]*\]")


@dataclass(frozen=True)
class Sung:
    """Phones of a text, and what in it could not be read."""

    phones: tuple[str, ...]
    unknown: Counter[str] = field(default_factory=Counter)
    """Words outside the dictionary, whose letters were named; characters that became ``UNK``; symbols without sound."""


def sung(text: str, english_as: English = "arpabet") -> Sung:
    """Phones of one sentence, without marks.

    Raises:
        MissingExtraError: a library that the text needs is not installed.
    """
    text = japanese.composed(re.sub(r"\s+(?=[ー〜～])", "", text))
    phones: list[str] = []
    unknown: Counter[str] = Counter()
    word = _LATIN if _JAPANESE.search(text) else _WORD  # digits are read in the language around them
    place = 0
    for found in [*word.finditer(text), None]:
        between = text[place : found.start() if found else len(text)]
        _add_japanese(between, phones, unknown)
        if found is None:
            break
        place = found.end()
        if english_as == "katakana" and (reading := japanese.reading(found[0])):
            phones += _phones(reading)
            continue
        spoken = english.pronounced(found[0])
        phones += spoken.phones
        if not spoken.known:
            unknown[found[0]] += 1
    return Sung(tuple(phones), unknown)


def _add_japanese(text: str, phones: list[str], unknown: Counter[str]) -> None:
    for piece in re.split(r"(\s+)", text):
        readable = "".join(c if _readable(c) else " " for c in piece)
        strange = [c for c in piece if not _readable(c) and not c.isspace() and unicodedata.category(c)[0] != "P"]
        unknown.update(strange)
        if any(unicodedata.category(c)[0] in "LN" for c in strange):
            phones.append(UNKNOWN)
        if not readable.strip():
            continue
        written: list[str] = []
        for word in japanese.words(readable.translate(_OLD)):
            if not word.spoken and any(unicodedata.category(c)[0] in "LN" for c in word.written):
                unknown.update(word.written)
                phones += _phones("".join(written))
                phones.append(UNKNOWN)
                written = []
            written.append(word.spoken)
        phones += _phones("".join(written))


def _readable(character: str) -> bool:
    return bool(_JAPANESE.match(character)) or character.isdecimal() or unicodedata.category(character)[0] == "P"


def _phones(katakana: str) -> list[str]:
    return [phone for mora in kana.morae(katakana) for phone in mora.phones]


@dataclass(frozen=True)
class Cleaned:
    """Japanese lyrics with all else taken out."""

    text: str
    latin: Counter[str]
    """Words in Latin letters that were taken out: scat and English."""
    other: Counter[str]
    """Other characters that were."""


def clean_japanese(text: str) -> Cleaned:
    """Keep hiragana, katakana, kanji, ``々``, ``ー``, ``・`` and punctuation, as the fork of SongBloom says it does.

    Unlike there, every tag and every space stays, no letter ``s`` is left over, and what goes is counted.
    """
    latin: Counter[str] = Counter()
    other: Counter[str] = Counter()
    kept, place = [], 0
    for tag in [*_TAG.finditer(text), None]:
        piece = text[place : tag.start() if tag else len(text)]
        latin.update(_WORD.findall(unicodedata.normalize("NFKC", piece)))
        other.update(c for c in _CLEAN.findall(_WORD.sub("", unicodedata.normalize("NFKC", piece))))
        kept.append(_CLEAN.sub("", piece))
        if tag is None:
            break
        kept.append(tag[0])
        place = tag.end()
    return Cleaned(re.sub("[ \t]+", " ", "".join(kept)).strip(), latin, other)
