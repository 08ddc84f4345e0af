"""Labels read off transcripts: every unit counted, rare ones told."""

import unicodedata

from onsei.text.alphabet import Alphabet
from onsei.text.census import Census
from onsei.text.spelling import Spelling


def test_labels_are_the_characters_seen_often_enough_in_order():
    census = Census.of(iter(["Été  à Rome", "était é"]), Spelling("lower"))
    assert census.texts == 2
    assert census.labels() == ("_", " ", "a", "e", "i", "m", "o", "r", "t", "à", "é")
    assert census.labels(min_count=2) == ("_", " ", "t", "é")
    assert census.rare(2) == {"à": 1, "r": 1, "o": 1, "m": 1, "e": 1, "a": 1, "i": 1}
    assert Alphabet(census.labels(), "lower").unknown(["Été"]) == {}


def test_decomposed_letters_are_one_label():
    typed = ["é", unicodedata.normalize("NFD", "é")]
    assert Census.of(typed, Spelling("keep")).counts == {"é": 2}


def test_words_are_counted_whole_and_the_blanks_sign_is_no_label():
    census = Census.of(["go _ go", "stop"], Spelling("keep"), "words")
    assert census.labels() == ("_", "go", "stop")
    assert census.rare() == {"_": 1}


def test_nothing_counted_gives_the_blank_only():
    assert Census.of([], Spelling()).labels() == ("_",)
