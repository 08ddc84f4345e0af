"""Pieces of words: learned the same each time, cut and joined without loss, unknown characters told."""

import pickle

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from onsei.errors import ConfigError
from onsei.text.alphabet import Alphabet
from onsei.text.pieces import FILE, Pieces

TEXTS = ["the cat sat on the mat", "a dog ran away", "the dog sat there", "that hat"] * 5
PIECES = Pieces.learn(TEXTS, 40)
ALPHABET = Alphabet.of_pieces(PIECES, "lower")


def test_the_same_texts_give_the_same_pieces():
    assert Pieces.learn(iter(TEXTS), 40).model == PIECES.model


def test_label_zero_is_the_blank_and_words_begin_with_a_space():
    assert len(ALPHABET.labels) == 40
    assert ALPHABET.labels[0] == "_"
    assert "▁the" in ALPHABET.labels
    numbers = ALPHABET.encode("The  dog sat")
    assert 0 not in numbers
    assert len(numbers) < len("the dog sat")
    assert ALPHABET.shown(numbers[0]) == " the"
    assert ALPHABET.decode(numbers) == "the dog sat"
    assert ALPHABET.decode([]) == ""


@given(st.lists(st.text("acdeghmnorstwy", min_size=1, max_size=8), max_size=6))
def test_known_characters_come_back_with_their_spaces(words):
    text = " ".join(words)
    assert ALPHABET.unknown([text]) == {}
    assert ALPHABET.decode(ALPHABET.encode(text)) == text


def test_unknown_characters_are_counted_each_and_left_out():
    assert ALPHABET.unknown(["the zoo", "éé cat"]) == {"z": 1, "é": 2}
    assert ALPHABET.spoken("the zcat") == "the cat"


def test_japanese_pieces_have_no_spaces():
    texts = ["窓を開ける", "窓を見る", "空を見る"] * 3
    alphabet = Alphabet.of_pieces(Pieces.learn(texts, 14, spaced=False), "keep", "kanji")
    assert alphabet.decode(alphabet.encode("空を、開ける！")) == "空を開ける"
    assert not any(label.startswith("▁") for label in alphabet.labels)


@pytest.mark.parametrize(("size", "message"), [(5, "need 16 for their characters"), (5000, "at most")])
def test_a_size_that_does_not_fit_is_told_with_its_bound(size, message):
    with pytest.raises(ConfigError, match=f"vocab_size: {size}.*{message}"):
        Pieces.learn(TEXTS, size)


def test_a_copy_for_another_process_cuts_alike():
    assert ALPHABET.encode("the mat")
    copy = pickle.loads(pickle.dumps(ALPHABET))
    assert copy == ALPHABET
    assert copy.encode("the mat") == ALPHABET.encode("the mat")


def test_a_model_is_read_from_its_file_or_folder(tmp_path):
    (tmp_path / FILE).write_bytes(PIECES.model)
    assert Pieces.read(tmp_path) == Pieces.read(tmp_path / FILE) == PIECES


def test_bad_models_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="onsei recognition labels"):
        Pieces.read(tmp_path)
    (tmp_path / FILE).write_bytes(b"no model at all")
    with pytest.raises(ConfigError, match="no model of sentencepiece"):
        Pieces.read(tmp_path)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS),
        model_prefix=str(tmp_path / "other"),
        vocab_size=40,
        model_type="bpe",
        minloglevel=2,
    )
    with pytest.raises(ConfigError, match="unk_id=0, bos_id=-1"):
        Pieces.read(tmp_path / "other.model")


def test_labels_and_pieces_belong_together():
    with pytest.raises(ConfigError, match="labels and pieces"):
        Alphabet(("_", "a"), units="bpe", pieces=PIECES)
    with pytest.raises(ConfigError, match="without pieces"):
        Alphabet(("_", "a"), units="bpe")
    with pytest.raises(ConfigError, match="with pieces"):
        Alphabet(ALPHABET.labels, pieces=PIECES)
