"""English words as ARPAbet phones with stress: the one door to gruut-lang-en, a dictionary of 124 000 words.

The dictionary (MIT) was made from the CMU Pronouncing Dictionary and lies in the package, so nothing is downloaded. It
writes IPA; each of its sounds is one of ARPAbet. Words that it lacks are spelled letter by letter, and reported.
"""

from __future__ import annotations

import sqlite3
import unicodedata
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from onsei.errors import MissingExtraError

_VOWELS = {
    "ɑ": "AA", "æ": "AE", "ʌ": "AH", "ə": "AH", "ɔ": "AO", "aʊ": "AW", "aɪ": "AY", "ɛ": "EH", "ɚ": "ER", "eɪ": "EY",
    "ɪ": "IH", "i": "IY", "oʊ": "OW", "ɔɪ": "OY", "ʊ": "UH", "u": "UW",
}  # fmt: skip
_CONSONANTS = {
    "b": "B", "t͡ʃ": "CH", "d": "D", "ð": "DH", "f": "F", "ɡ": "G", "h": "HH", "d͡ʒ": "JH", "k": "K", "l": "L", "m": "M",
    "n": "N", "ŋ": "NG", "p": "P", "ɹ": "R", "s": "S", "ʃ": "SH", "t": "T", "θ": "TH", "v": "V", "w": "W", "j": "Y",
    "z": "Z", "ʒ": "ZH",
}  # fmt: skip
_STRESS = {"ˈ": "1", "ˌ": "2"}
_NAMES = (
    "EY1/B IY1/S IY1/D IY1/IY1/EH1 F/JH IY1/EY1 CH/AY1/JH EY1/K EY1/EH1 L/EH1 M/EH1 N/OW1/P IY1/K Y UW1/AA1 R/EH1 S/"
    "T IY1/Y UW1/V IY1/D AH1 B AH0 L Y UW0/EH1 K S/W AY1/Z IY1/"
    "Z IH1 R OW0/W AH1 N/T UW1/TH R IY1/F AO1 R/F AY1 V/S IH1 K S/S EH1 V AH0 N/EY1 T/N AY1 N"
)
_LETTERS = dict(zip("abcdefghijklmnopqrstuvwxyz0123456789", _NAMES.split("/"), strict=True))
"""Names of letters and digits."""


class Word(NamedTuple):
    """An English word as phones."""

    phones: tuple[str, ...]
    known: bool
    """Whether the dictionary has it; else its letters were named."""


def pronounced(word: str) -> Word:
    """Phones of one word: the dictionary's first pronunciation, or the names of its letters and digits.

    Raises:
        MissingExtraError: gruut-lang-en is not installed.
    """
    plain = _plain(word)
    entry = _entry(plain)
    if entry is not None:
        return Word(entry, True)
    return Word(tuple(phone for letter in plain for phone in _LETTERS.get(letter, "").split()), False)


def _plain(word: str) -> str:
    letters = unicodedata.normalize("NFKD", word.lower().replace("’", "'"))
    return "".join(c for c in letters if c == "'" or c in _LETTERS)


@lru_cache(maxsize=1 << 14)
def _entry(word: str) -> tuple[str, ...] | None:
    for spelling in dict.fromkeys((word, word.strip("'"))):
        found = _dictionary().execute(
            "SELECT phonemes FROM word_phonemes WHERE word = ? ORDER BY pron_order LIMIT 1", (spelling,)
        )
        row = found.fetchone()
        if row is not None:
            return tuple(_arpa(sound) for sound in row[0].split())
    if word.endswith("in'"):  # singin'
        full = _entry(word[:-1] + "g")
        return None if full is None else (*full[:-1], "N")
    return None


@cache
def _dictionary() -> sqlite3.Connection:
    try:
        import gruut_lang_en
    except ImportError:
        raise MissingExtraError("gruut-lang-en", "song", "pronouncing English words") from None
    path = Path(gruut_lang_en.get_lang_dir()) / "lexicon.db"
    return sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)


def _arpa(sound: str) -> str:
    stress = _STRESS.get(sound[0], "0")
    bare = sound.lstrip("ˈˌ")
    return _VOWELS[bare] + stress if bare in _VOWELS else _CONSONANTS[bare]
