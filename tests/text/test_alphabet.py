"""Text becomes labels and back; nothing is dropped unseen."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onsei.errors import ConfigError
from onsei.text.alphabet import ENGLISH, Alphabet


@given(st.text(st.sampled_from(ENGLISH[1:]), max_size=50))
def test_labels_give_the_text_back(text):
    alphabet = Alphabet()
    assert alphabet.decode(alphabet.encode(text)) == alphabet.normalize(text)


def test_unknown_characters_are_counted_in_the_alphabets_case():
    counts = Alphabet().unknown(["It's 3 o'clock, été.", "3!"])
    assert counts == {"3": 2, ",": 1, "É": 2, ".": 1, "!": 1}


def test_japanese_labels():
    alphabet = Alphabet(("_", "あ", "い", "音", "声"), "keep")
    assert alphabet.decode(alphabet.encode("音声あい")) == "音声あい"
    assert alphabet.unknown(["音楽"]) == {"楽": 1}


def test_spoken_is_what_can_be_recognized_at_best():
    assert Alphabet().spoken("  Hello,\n world - again ") == "HELLO WORLD AGAIN"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('["A", "_"]', "the first must be the blank"),
        ('["_", "AB"]', r"not one character: \['AB'\]"),
        ('["_", "A", "A"]', r"given twice: \['A'\]"),
        ('{"_": 0}', "expected a JSON list"),
        ("[", "not a JSON list"),
        ("[]", "the first must be the blank"),
    ],
)
def test_a_bad_labels_file_is_explained(tmp_path, content, message):
    path = tmp_path / "labels.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=message):
        Alphabet.read(path)


def test_a_missing_labels_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.json"):
        Alphabet.read(tmp_path / "nowhere.json")


def test_the_labels_of_the_original_are_read(tmp_path):
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(list(ENGLISH)))
    assert Alphabet.read(path).labels == ENGLISH
