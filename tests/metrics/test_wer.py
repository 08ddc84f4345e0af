"""Word and character error rates against jiwer, a plain dynamic program, and by hand."""

from __future__ import annotations

import math

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onsei.errors import DataError
from onsei.metrics.wer import Edit, ErrorCounts, align, char_errors, corpus_cer, corpus_wer, word_errors

WORDS = st.lists(st.sampled_from(["a", "b", "ab", "café", "音声", "don't"]), max_size=9)


def distance(a: list[str], b: list[str]) -> int:
    """Levenshtein distance by the textbook's table."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row = row, [i, *([0] * len(b))]
        for j, y in enumerate(b, 1):
            row[j] = min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (x != y))
    return row[-1]


def test_counts_of_a_known_pair():
    counts = word_errors("the cat sat on the mat", "the cat sat mat now")
    assert counts.errors == 3
    assert counts.reference == 6
    assert counts.rate == pytest.approx(50.0)


@given(WORDS, WORDS)
def test_counts_are_a_shortest_alignment_of_both_texts(reference, hypothesis):
    counts = word_errors(" ".join(reference), " ".join(hypothesis))
    assert counts.errors == distance(reference, hypothesis)
    assert counts.reference == len(reference)
    assert counts.hits + counts.substitutions + counts.insertions == len(hypothesis)


@given(WORDS.filter(bool), WORDS)
def test_words_and_characters_agree_with_jiwer(reference, hypothesis):
    said, heard = " ".join(reference), " ".join(hypothesis)
    words, characters = jiwer.process_words(said, heard), jiwer.process_characters(said, heard)
    assert word_errors(said, heard).rate == pytest.approx(100 * words.wer)
    assert char_errors(said, heard).rate == pytest.approx(100 * characters.cer)
    without = jiwer.process_characters("".join(reference), "".join(hypothesis) or " ")
    assert char_errors(said, heard, spaces=False).rate == pytest.approx(100 * without.cer)


@given(WORDS, WORDS)
def test_alignment_spells_both_texts_and_has_as_many_errors(reference, hypothesis):
    edits = align(reference, hypothesis)
    assert [e.reference for e in edits if e.kind != "insertion"] == reference
    assert [e.hypothesis for e in edits if e.kind != "deletion"] == hypothesis
    assert sum(e.kind != "hit" for e in edits) == distance(reference, hypothesis)
    assert all((e.kind == "hit") == (e.reference == e.hypothesis) for e in edits)


def test_alignment_names_each_kind():
    assert align(["a", "b", "c"], ["a", "x", "c", "d"]) == [
        Edit("hit", "a", "a"),
        Edit("substitution", "b", "x"),
        Edit("hit", "c", "c"),
        Edit("insertion", "", "d"),
    ]
    assert align(["a"], []) == [Edit("deletion", "a", "")]


def test_empty_reference_has_insertions_but_no_rate():
    counts = word_errors("", "two words")
    assert counts == ErrorCounts(insertions=2)
    assert math.isnan(counts.rate)
    assert math.isnan(word_errors("", "").rate)
    assert word_errors("two words", "").rate == 100.0


def test_rate_passes_100_percent_with_many_insertions():
    assert word_errors("a", "b c d").rate == 300.0


def test_insertions_into_an_empty_reference_count_in_the_corpus():
    assert corpus_wer(["one two", ""], ["one two", "three"]) == 50.0


def test_corpus_rate_weighs_utterances_by_length():
    references, hypotheses = ["a", "b c d e f g h i j"], ["x", "b c d e f g h i j"]
    assert corpus_wer(references, hypotheses) == pytest.approx(10.0)
    assert corpus_wer(references, hypotheses) == pytest.approx(100 * jiwer.wer(references, hypotheses))


def test_spaces_count_as_characters_only_when_asked():
    assert char_errors("ab cd", "abcd").errors == 1
    assert char_errors("ab cd", "abcd", spaces=False).errors == 0
    assert corpus_cer(["ab cd"], ["abcd"]) == pytest.approx(20.0)
    assert corpus_cer(["ab cd"], ["abcd"], spaces=False) == 0.0


def test_runs_of_white_space_are_one_space():
    assert char_errors("  ab \t cd\n", "ab cd").errors == 0
    assert word_errors("  ab \t cd\n", "ab　cd").errors == 0


def test_japanese_is_counted_by_code_point():
    assert char_errors("音声認識", "音声入識").rate == 25.0


def test_addition_sums_each_count():
    assert ErrorCounts(1, 2, 3, 4) + ErrorCounts(10, 20, 30, 40) == ErrorCounts(11, 22, 33, 44)


def test_lists_of_different_length_are_refused():
    with pytest.raises(DataError, match="found 1 for 2"):
        corpus_wer(["a", "b"], ["a"])
