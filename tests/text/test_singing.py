"""Lyrics become phones as they are sung, in two languages, and what cannot be read is reported."""

import sys
from collections import Counter

import pytest

from onsei.errors import MissingExtraError
from onsei.text import english
from onsei.text.phones import SYMBOLS
from onsei.text.singing import clean_japanese, sung

pytest.importorskip("pyopenjtalk")
pytest.importorskip("gruut_lang_en")


@pytest.mark.parametrize(
    ("text", "phones"),
    [
        ("ラーメンを食べた", "r a a m e N o t a b e t a"),
        ("らー めん〜", "r a a m e N N"),
        ("わたしは学校へ行く", "w a t a sh i w a g a cl k o o e i k u"),
        ("好きです、です", "s u k i d e s u d e s u"),
        ("𠮷野家", "y o sh i n o y a"),
        ("ヷとヺ", "v a t o v o"),
        ("ﾃｭｰﾊﾞ", "t y u u b a"),
        ("春夏秋冬", "sh u N k a sh u u t o o"),
        ("24時間", "n i j u u y o j i k a N"),
        ("", ""),
        ("…！？", ""),
    ],
)
def test_japanese_is_sung_without_devoicing(text, phones):
    assert sung(text).phones == tuple(phones.split())
    assert not sung(text).unknown


@pytest.mark.parametrize(
    ("text", "phones"),
    [
        ("I", "AY1"),
        ("a", "AH0"),
        ("Oh, o", "OW1 OW1"),
        ("LOVE forever", "L AH1 V F ER0 EH1 V ER0"),
        ("don't", "D OW1 N T"),
        ("don’t stop singin'", "D OW1 N T S T AA1 P S IH1 NG IH0 N"),
        ("ぼくの Baby は", "b o k u n o B EY1 B IY0 w a"),
    ],
)
def test_english_words_have_their_own_sounds_even_where_they_look_like_phones(text, phones):
    assert sung(text).phones == tuple(phones.split())


def test_english_may_be_sung_as_japanese():
    assert " ".join(sung("LOVEして", "katakana").phones) == "r a b u sh i t e"


@pytest.mark.parametrize(
    ("text", "unknown", "kept"),
    [
        ("xqzt さくら", {"xqzt": 1}, "s a k u r a"),
        ("さくら 안녕", {"안": 1, "녕": 1}, "UNK"),
        ("さくら♥", {"♥": 1}, "s a k u r a"),
        ("привет", dict(Counter("привет")), "UNK"),
        ("24", {"24": 1}, "T UW1 F AO1 R"),
    ],
)
def test_what_nothing_knows_is_reported_and_leaves_a_sound(text, unknown, kept):
    found = sung(text)
    assert found.unknown == unknown
    assert kept in " ".join(found.phones)
    assert set(found.phones) <= set(SYMBOLS)


def test_every_sound_of_the_dictionary_is_in_the_table():
    rows = english._dictionary().execute("SELECT DISTINCT phonemes FROM word_phonemes")
    sounds = {sound for (row,) in rows for sound in row.split()}
    assert {english._arpa(sound) for sound in sounds} <= set(SYMBOLS)


def test_a_long_text_is_read_whole():
    assert sung("さくら" * 2000).phones == tuple("sakura" * 2000)


def test_a_missing_dictionary_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "gruut_lang_en", None)
    english._dictionary.cache_clear()
    english._entry.cache_clear()
    with pytest.raises(MissingExtraError, match=r"onsei\[song\]"):
        sung("strength")
    english._dictionary.cache_clear()


def test_cleaning_keeps_tags_and_spaces_and_counts_the_scat():
    cleaned = clean_japanese("[intro] [intro] , [verse] LABADADA さくら　さくら tu tu! , [chorus] 春、ラー々♪ s")
    assert cleaned.text == "[intro] [intro] , [verse] さくら　さくら ! , [chorus] 春、ラー々"
    assert cleaned.latin == {"LABADADA": 1, "tu": 2, "s": 1}
    assert cleaned.other == {"♪": 1}


def test_cleaning_twice_is_cleaning_once():
    once = clean_japanese("[verse] abc さくら\\s [chorus] Ｄ ラ・ラ")
    assert clean_japanese(once.text) == type(once)(once.text, Counter(), Counter())
