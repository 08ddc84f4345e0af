"""Japanese transcripts as labels: as written, in katakana, or read aloud into katakana.

The rule, in this order: voicing marks that stand alone join the kana before them; NFKC (half-width kana become full,
full-width letters and digits become ASCII, decomposed kana compose); a wave dash after kana is a long-vowel mark; a run
of long-vowel marks is one; kana iteration marks are written out (``みすゞ`` becomes ``みすず``), the kanji one (``々``)
stays; a long-vowel, voicing or iteration mark that follows no kana goes, and so do punctuation, symbols, emoji and
spaces; letters, digits and small kana stay.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from onsei.errors import MissingExtraError

_KANA = "ぁ-ゖァ-ヺー"
_VOICED, _HALF_VOICED = "\u3099", "\u309a"
_ALONE = str.maketrans({"゛": _VOICED, "゜": _HALF_VOICED, "〻": "々"})
_KATAKANA = {code: code + 0x60 for code in range(ord("ぁ"), ord("ゖ") + 1)}
_READING = re.compile("[ァ-ヺー\u3099\u309a]*")
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_KEPT = "LNM"
"""First letters of the Unicode categories that stay: letters, numbers, marks."""
_LONGEST = 1000
"""Characters that are analyzed at once."""


def kanji(text: str) -> str:
    """``text`` as it is written, by the rule above; without spaces."""
    return _letters(composed(text))


def kana(text: str) -> str:
    """As ``kanji``, with hiragana as katakana. Kanji stay kanji: they are not read."""
    return kanji(text).translate(_KATAKANA)


def reading(text: str) -> str:
    """``text`` as it is spoken, in katakana: ``今日は`` becomes ``キョーワ``.

    Text that is wholly katakana is taken for a reading and stays, so that a reading of a reading is the same. All other
    text is read by pyopenjtalk, with its particles, numbers and letters. What it cannot read is left out.

    Raises:
        MissingExtraError: pyopenjtalk-plus is not installed.
    """
    own = kanji(text)
    if _READING.fullmatch(own):
        return own
    return _read(composed(text))


class Word(NamedTuple):
    """A word of a sentence."""

    written: str
    """As it stands, full-width."""
    spoken: str
    """In katakana, as it is spoken; empty for marks, and for what cannot be read."""
    particle: bool
    """Whether it is a particle: ``は`` and ``へ`` are then spoken ``ワ`` and ``エ``."""


def words(text: str) -> tuple[Word, ...]:
    """The words of Japanese ``text``, in order. Vowels that speech devoices are there.

    Raises:
        MissingExtraError: pyopenjtalk-plus is not installed.
    """
    whole = composed(text)
    return tuple(word for start in range(0, len(whole), _LONGEST) for word in _words(whole[start : start + _LONGEST]))


@lru_cache(maxsize=1 << 14)
def _words(text: str) -> tuple[Word, ...]:
    try:
        import pyopenjtalk
    except ImportError:
        raise MissingExtraError("pyopenjtalk-plus", "japanese", "reading kanji aloud") from None
    found = []
    for word in pyopenjtalk.run_frontend(text):
        spoken = word["pron"].replace("’", "")
        sounds = spoken if _READING.fullmatch(spoken) else ""
        found.append(Word(word["string"], sounds, word["pos"] == "助詞"))
    return tuple(found)


@lru_cache(maxsize=1 << 14)  # survey, scoring and every epoch ask for the same sentences
def _read(text: str) -> str:
    spoken = "".join(word.spoken for word in words(text))
    return "".join(_READING.findall(kana(spoken)))


def composed(text: str) -> str:
    """``text`` by the rule but its last step: what a reader may still want, punctuation and spaces, is there."""
    text = unicodedata.normalize("NFKC", _SELECTORS.sub("", text.translate(_ALONE)))
    text = re.sub(f"(?<=[{_KANA}])[〜~]+", "ー", text)
    text = re.sub("ー+", "ー", text)
    text = re.sub(f"(?<![{_KANA}])[ー{_VOICED}{_HALF_VOICED}]+", "", text)
    text = re.sub(f"([{_KANA}])([ゝゞヽヾ]+)", _written_out, text)
    return re.sub("[ゝゞヽヾ]", "", text)


def _written_out(found: re.Match[str]) -> str:
    base = unicodedata.normalize("NFD", found[1])[0]
    again = [unicodedata.normalize("NFC", base + _VOICED) if mark in "ゞヾ" else base for mark in found[2]]
    return found[1] + "".join(again)


def _letters(text: str) -> str:
    kept = "".join(c for c in text if unicodedata.category(c)[0] in _KEPT and unicodedata.category(c) != "Me")
    return unicodedata.normalize("NFC", kept)
