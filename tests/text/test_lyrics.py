"""Lines of lyrics are read, checked and written back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onsei.errors import ConfigError
from onsei.text.lyrics import MOST_PHONES, Lyrics, Section, faults, from_symbols, parse, phonemes
from onsei.text.phones import INSTRUMENTAL, SYMBOLS, VOCAL


def test_a_line_becomes_sections_and_sentences():
    lyrics = parse("[intro] [intro] , [verse] さくら。はる, のかぜ. , [chorus] I love you! 3.5秒 , [outro]")
    assert lyrics.sections == (
        Section("[intro]", (), 2),
        Section("[verse]", ("さくら", "はる, のかぜ")),
        Section("[chorus]", ("I love you", "3.5秒")),
        Section("[outro]"),
    )


_sentence = st.lists(st.sampled_from(["さくら", "春の風", "love", "3.5", "a, b"]), min_size=1, max_size=3).map(" ".join)
_sung = st.builds(Section, st.sampled_from(VOCAL), st.lists(_sentence, min_size=1, max_size=3).map(tuple))
_empty = st.builds(Section, st.sampled_from(INSTRUMENTAL), st.just(()), st.integers(1, 4))


@given(st.lists(st.one_of(_sung, _empty), min_size=1, max_size=6).map(tuple).map(Lyrics))
def test_lyrics_are_read_as_they_were_written(lyrics):
    assert parse(str(lyrics)) == lyrics


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("さくら", "not with a tag"),
        ("さくら [verse] はる", "not with a tag"),
        ("[foo] さくら", r"\[foo\] is no tag"),
        ("[intro] さくら", r"words under \[intro\]"),
        ("[verse] a , [hook] b , [outro] c", r"\[hook\] is no tag; words under \[outro\]"),
    ],
)
def test_faulty_lines_are_refused_with_all_their_faults(text, found):
    with pytest.raises(ConfigError, match=found):
        parse(text, "songs.jsonl:3")


def test_symbols_have_tags_and_marks_between():
    pytest.importorskip("pyopenjtalk")
    found = phonemes(parse("[intro] [intro] , [verse] さくら. のはな , [chorus] うたう"))
    assert str(found) == "[intro] [intro] , [verse] s a k u r a . n o h a n a , [chorus] u t a u"
    assert set(found.symbols) <= set(SYMBOLS)
    assert len(found.places) == len(found.symbols)
    assert found.places[3] == (1, -1)
    assert found.places[-1] == (2, 0)


def test_written_symbols_are_taken_as_they_are():
    found = from_symbols("[verse] s a . n o , [chorus] I a")
    assert found.symbols == ("[verse]", "s", "a", ".", "n", "o", ",", "[chorus]", "I", "a")
    assert found.places == ((0, -1), (0, 0), (0, 0), (0, 1), (0, 1), (0, 1), (0, -1), (1, -1), (1, 0), (1, 0))


def test_too_long_lyrics_are_told_with_the_place_where_they_are_cut():
    pytest.importorskip("pyopenjtalk")
    lyrics = parse("[verse] " + ". ".join(["さくらさくら"] * 170))
    told = faults(lyrics, phonemes(lyrics))
    assert len(told) == 2
    assert f"2210 phones and marks, of which the network reads {MOST_PHONES}" in told[0]
    assert "section 1, [verse] at 'さくらさくら'" in told[0]
    assert "170 sentences, from 49 on" in told[1]


def test_unknown_words_and_missing_words_are_told():
    pytest.importorskip("gruut_lang_en")
    lyrics = parse("[verse] xqzt")
    assert ["xqzt" in told for told in faults(lyrics, phonemes(lyrics))] == [True]
    silent = parse("[intro] [inst]")
    assert faults(silent, phonemes(silent)) == ["no words: an instrumental piece"]
