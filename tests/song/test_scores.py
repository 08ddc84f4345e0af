"""A score's notes become lyrics with sentences and sections, in time, with the phones that are sung."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onsei.data import lab, musicxml
from onsei.errors import DataError
from onsei.systems.song.data.scores import lyrics_of, writes_as_heard
from onsei.systems.song.data.timed import Part, Syllable, Timed, guessed
from onsei.text.lyrics import parse, phonemes
from tests.song.written import bar, first, note, rest, score, song

pytest.importorskip("pyopenjtalk")
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "songs_ja"


def lyrics(tmp_path, text, **options):
    path = tmp_path / "song.musicxml"
    path.write_text(text, encoding="utf-8")
    return lyrics_of(musicxml.read(path), **options)


def test_rests_part_sentences_and_sections_and_words_that_return_are_a_chorus(tmp_path):
    timed, told = lyrics(tmp_path, song("さくら さくら / のはら / やまも"), particles="heard")
    assert str(timed.lyrics()) == (
        "[intro] [intro] , [verse] さくら. さくら , [inst] [inst] [inst] [inst] [inst] [inst] , [verse] のはら , "
        "[inst] [inst] [inst] [inst] [inst] [inst] , [verse] やまも , [outro] [outro]"
    )
    timed, _ = lyrics(tmp_path, song("さくら / のはら / さくら"))
    assert [part.tag for part in timed.parts if part.sentences] == ["[chorus]", "[verse]", "[chorus]"]
    assert not told.unknown


def test_the_score_may_name_its_sections(tmp_path):
    mark = "<direction><direction-type><rehearsal>{}</rehearsal></direction-type></direction>"
    text = score(first(mark.format("Aメロ"), note("さ", 16)), bar(mark.format("サビ"), note("く", 16)))
    timed, _ = lyrics(tmp_path, text)
    assert str(timed.lyrics()) == "[verse] さ , [chorus] く"


def test_a_breath_ends_a_sentence_and_is_not_sung(tmp_path):
    timed, _ = lyrics(tmp_path, score(first(note("さ"), note("br"), note("く"), note("ら"))))
    assert [" ".join(phone for one in sentence for phone in one.phones) for sentence in timed.parts[0].sentences] == [
        "s a", "k u r a",
    ]  # fmt: skip


def test_silence_is_tagged_by_the_second(tmp_path):
    text = score(first(rest(16), tempo=60), bar(note("あ", 16)), bar(rest(16)))
    timed, _ = lyrics(tmp_path, text)
    assert str(timed.lyrics()) == "[intro] [intro] [intro] [intro] , [verse] あ , [outro] [outro] [outro] [outro]"
    assert str(timed.lyrics(5.0)) == "[intro] , [verse] あ , [outro]"


@pytest.mark.parametrize(
    ("words", "phones"),
    [
        (["ら", "ー", "め", "ん"], "r a|a|m e|N"),
        (["がっ", "こ", "う"], "g a cl|k o|u"),
        (["が", "っ", "こ", "ー"], "g a|cl|k o|o"),
        (["きゃ", "ー"], "ky a|a"),
        (["春", "は"], "h a r u|h a"),
        (["トゥ", "フュ", "クヮ", "ヴ"], "t u|f y u|k w a|v u"),
        (["さ。", "「く」", "ら、"], "s a|k u|r a"),
        (["ﾗ", "ﾝ"], "r a|N"),
    ],
)
def test_each_note_has_its_phones(tmp_path, words, phones):
    timed, _ = lyrics(tmp_path, score(first(*(note(word) for word in words))), particles="heard")
    assert [" ".join(one.phones) for one in timed.syllables()] == phones.split("|")


def test_a_note_without_words_or_with_a_dash_lengthens_the_one_before(tmp_path):
    timed, _ = lyrics(tmp_path, score(first(note("さ"), note(""), note("-"), note("く"))))
    assert [(one.text, one.start, one.end) for one in timed.syllables()] == [("さ", 0.0, 1.5), ("く", 1.5, 2.0)]


def test_words_in_latin_letters_are_japanese_or_english(tmp_path):
    timed, told = lyrics(tmp_path, score(first(*(note(word) for word in ("shi", "tsu", "kyo", "n")))))
    assert [" ".join(one.phones) for one in timed.syllables()] == ["sh i", "ts u", "ky o", "N"]
    assert "words in Latin letters are read as Japanese" in told.notes
    pytest.importorskip("gruut_lang_en")
    english = [note("ba", syllabic="begin"), note("by", syllabic="end"), note("love"), note("さ")]
    timed, told = lyrics(tmp_path, score(first(*english)))
    assert [" ".join(one.phones) for one in timed.syllables()] == ["B EY1 B IY0", "", "L AH1 V", "s a"]
    assert str(timed.lyrics()) == "[verse] baby loveさ"


def test_what_nobody_knows_is_reported_and_kept(tmp_path):
    timed, told = lyrics(tmp_path, score(first(note("さ"), note("안"), note("く"))))
    assert told.unknown == {"안": 1}
    assert [" ".join(one.phones) for one in timed.syllables()] == ["s a", "UNK", "k u"]


EVERYDAY = ["わたしはあなたへうたをうたう", "きょうはうみへいこう", "はなははるにさく"]


def test_particles_are_sung_as_spoken_where_the_score_writes_them_as_everybody_does(tmp_path):
    assert not writes_as_heard(EVERYDAY)
    assert writes_as_heard(
        [text.replace("わたしは", "わたしわ").replace("きょうは", "きょうわ") for text in EVERYDAY[:2]]
    )
    bars = [first(tempo=240), *(bar(*(note(kana, 4) for kana in text), rest(8)) for text in EVERYDAY)]
    timed, told = lyrics(tmp_path, score(*bars))
    assert "".join(" ".join(one.phones) for one in timed.syllables() if one.text in "はへ") == "w aew aeh aw ah a"
    assert "は and へ that are particles are sung わ and え" in told.notes
    timed, _ = lyrics(tmp_path, score(*bars), particles="heard")
    assert "w a" not in [" ".join(one.phones) for one in timed.syllables() if one.text == "は"]


_syllable = st.tuples(st.sampled_from(["さ", "く", "ら"]), st.integers(1, 20), st.integers(0, 30))


@given(
    st.lists(st.lists(_syllable, min_size=1, max_size=6), min_size=1, max_size=5), st.floats(0, 30), st.floats(0, 30)
)
def test_cutting_keeps_each_syllable_on_one_side(sentences, first_cut, second_cut):
    time, found = 0.0, []
    for sentence in sentences:
        made = []
        for text, length, gap in sentence:
            made.append(Syllable(text, ("a",), time + gap / 10, time + gap / 10 + length / 10))
            time = made[-1].end
        found.append(tuple(made))
    whole = Timed((Part("[intro]", 0.0, found[0][0].start), Part("[verse]", found[0][0].start, time, tuple(found))))
    cuts = sorted({0.0, min(first_cut, time), min(second_cut, time), time + 1e-6})
    pieces = [whole.cut(start, end) for start, end in pairwise(cuts)]
    assert [one.text for piece in pieces for one in piece.syllables()] == [one.text for one in whole.syllables()]
    for piece, start, end in zip(pieces, cuts[:-1], cuts[1:], strict=True):
        assert all(0 <= part.start < part.end <= end - start + 1e-6 for part in piece.parts)
    assert Timed.load(whole.dump(), "here").lyrics() == whole.lyrics()


def test_sections_that_are_none_are_refused_by_place():
    for values in ([{"tag": "[foo]", "start": 0, "end": 1, "sentences": []}], [{}], 3, [{"tag": "[verse]"}]):
        with pytest.raises(DataError, match=r"a\.jsonl:3: sections"):
            Timed.load(values, "a.jsonl:3")


def test_lyrics_without_times_share_them_by_phones():
    timed = guessed(parse("[intro] [intro] , [verse] さくら. の"), 10.0)
    assert [(part.tag, part.start, part.end) for part in timed.parts] == [("[intro]", 0.0, 2.0), ("[verse]", 2.0, 10.0)]
    assert [(one.start, one.end) for one in timed.syllables()] == [(2.0, 8.0), (8.0, 10.0)]
    assert timed.symbols() == phonemes(timed.lyrics()).symbols


def test_a_label_file_is_read_bare_or_in_context(tmp_path):
    path = tmp_path / "a.lab"
    path.write_text("0 5000000 pau\n5000000 10000000 c@xx^pau-h+a=r_xx%xx\n", encoding="utf-8")
    assert [(one.symbol, one.start, one.end) for one in lab.read(path)] == [("pau", 0, 0.5), ("h", 0.5, 1.0)]
    path.write_text("0 5000000 pau\n7 3 a\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"a\.lab:2"):
        lab.read(path)


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/data/songs_ja")
@pytest.mark.parametrize("name", ["nursery/usagi", "nursery/tetsudou_shouka", "itako50/itako50"])
def test_real_scores_have_the_phones_of_their_labels(name):
    timed, told = lyrics_of(musicxml.read(SHARED / f"{name}.musicxml"))
    phones = [phone for one in timed.syllables() for phone in one.phones]
    labels = [one.symbol for one in lab.read(SHARED / f"{name}.lab") if not lab.is_silence(one.symbol)]
    assert phones == labels
    assert not told.unknown
