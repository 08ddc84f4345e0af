"""Scores are read as they are sung: ties, chords, verses, repeats, tempi; and hostile files are refused."""

import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.data import musicxml
from onsei.data.scoreform import Measure, played
from onsei.errors import DataError
from tests.song.written import HEAD, bar, first, note, rest, score

TIE = '<tie type="{}"/>'
START, STOP = TIE.format("start"), TIE.format("stop")


def read(tmp_path, text, part="", name="song.musicxml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return musicxml.read(path, part)


def sung(found):
    return [one.syllable.text if one.syllable else "" for one in found.notes]


def test_notes_have_times_pitches_and_words(tmp_path):
    found = read(tmp_path, score(first(note("は", 4, "G4"), rest(4), note("る", 8, "A4"))))
    assert [(one.onset, one.length, one.pitch) for one in found.notes] == [(0, 1, 67), (2, 2, 69)]
    assert sung(found) == ["は", "る"]
    assert found.seconds(found.end) == 2.0
    assert found.part == "Voice"
    assert not found.faults


def test_tied_notes_are_one_and_chords_their_first(tmp_path):
    bars = [
        first(note("さ", 16, extra=START)),
        bar(note("", 16, extra=STOP + START)),
        bar(
            note("", 8, extra=STOP), note("<x/>".replace("<x/>", "く"), 4), note("", 4, "E4", "<chord/>"), note("ら", 4)
        ),
    ]
    found = read(tmp_path, score(*bars))
    assert [(one.onset, one.length) for one in found.notes] == [(0, 10), (10, 1), (11, 1)]
    assert sung(found) == ["さ", "く", "ら"]


def test_a_note_without_words_lengthens_and_a_breath_is_seen(tmp_path):
    breath = "<notations><articulations><breath-mark/></articulations></notations>"
    found = read(tmp_path, score(first(note("あ"), note(""), note("い", extra=breath), note("う"))))
    assert sung(found) == ["あ", "", "い", "う"]
    assert [one.breath for one in found.notes] == [False, False, True, False]


def test_elided_syllables_are_joined_and_words_go_on(tmp_path):
    elided = "<lyric><syllabic>begin</syllabic><text>to</text><elision>‿</elision><text>i</text></lyric>"
    found = read(tmp_path, score(first(note("", extra=elided), note("ght", syllabic="end"))))
    assert [(one.syllable.text, one.syllable.joins) for one in found.notes] == [("to‿i", True), ("ght", False)]


REPEAT = '<barline location="right"><repeat direction="backward"/></barline>'
FORWARD = '<barline location="left"><repeat direction="forward"/></barline>'


def ending(number, kind="start"):
    return f'<barline><ending number="{number}" type="{kind}"/></barline>'


def test_repeats_sing_the_next_verse_and_endings_are_followed(tmp_path):
    bars = [
        first(note("", 16, verses=("い", "ろ"))),
        bar(
            ending(1),
            note("は", 16),
            '<barline><ending number="1" type="stop"/><repeat direction="backward"/></barline>',
        ),
        bar(ending(2), note("に", 16), ending(2, "stop")),
        bar(note("ほ", 16)),
    ]
    assert sung(read(tmp_path, score(*bars))) == ["い", "は", "ろ", "に", "ほ"]


@pytest.mark.parametrize(
    ("marks", "order"),
    [
        (["", "", ""], "012"),
        ([FORWARD, REPEAT, ""], "01012"),
        (["", REPEAT, FORWARD, REPEAT], "01012323"),
        (["", REPEAT.replace("/>", ' times="3"/>', 1)], "010101"),
        (["", '<sound fine="yes"/>', '<sound dacapo="yes"/>'], "01201"),
        (["", '<sound segno="s"/>', '<sound fine="yes"/>', '<sound dalsegno="s"/>'], "012312"),
        (['<sound tocoda="c"/>', '<sound dacapo="yes"/>', '<sound coda="c"/>'], "0102"),
        (["", REPEAT, '<sound dacapo="yes"/>'], "0101201" + "2"),
    ],
)
def test_the_way_through_the_bars(tmp_path, marks, order):
    bars = [first(note("0"), marks[0]), *(bar(note(str(n)), mark) for n, mark in enumerate(marks[1:], 1))]
    assert "".join(sung(read(tmp_path, score(*bars)))) == order


@settings(max_examples=60)
@given(st.lists(st.builds(Measure, st.booleans(), st.sampled_from([0, 0, 2, 3]), da_capo=st.booleans()), max_size=8))
def test_any_marks_come_to_an_end_and_all_bars_are_sung(measures):
    order = played(measures)
    assert {number for number, _ in order} == set(range(len(measures)))
    assert all(time >= 1 for _, time in order)


def test_verses_that_no_repeat_leads_to_are_told(tmp_path):
    found = read(tmp_path, score(first(note("", verses=("い", "ろ", "は")))))
    assert sung(found) == ["い"]
    assert found.faults == (
        "verse 2 is never sung: no repeat leads to it",
        "verse 3 is never sung: no repeat leads to it",
    )


def test_tempo_changes_count(tmp_path):
    mark = "<metronome><beat-unit>half</beat-unit><per-minute>30</per-minute></metronome>"
    change = f"<direction><direction-type>{mark}</direction-type></direction>"
    found = read(tmp_path, score(first(note("あ", 16)), bar(change, note("い", 16))))
    assert found.tempi == ((0.0, 120.0), (4.0, 60.0))
    assert [found.seconds(quarter) for quarter in (0, 4, 6, 8)] == [0, 2, 4, 6]


def test_a_score_without_tempo_says_what_is_assumed(tmp_path):
    assert read(tmp_path, score(first(note("あ"), tempo=0))).faults == ("no tempo: 120 quarter notes a minute assumed",)


@given(
    st.lists(st.tuples(st.integers(1, 24), st.booleans()), min_size=1, max_size=20),
    st.integers(1, 48),
    st.integers(20, 300),
)
@settings(max_examples=40, deadline=None)
def test_onsets_are_the_lengths_before_them(tmp_path_factory, notes, divisions, tempo):
    entries = [note("あ", length) if is_sung else rest(length) for length, is_sung in [*notes, (4, True)]]
    found = read(tmp_path_factory.mktemp("score"), score(first(*entries, divisions=divisions, tempo=tempo)))
    total, expected = 0, []
    for length, is_sung in [*notes, (4, True)]:
        expected += [total / divisions] if is_sung else []
        total += length
    assert [one.onset for one in found.notes] == pytest.approx(expected)
    assert found.seconds(found.end) == pytest.approx(total / divisions * 60 / tempo)


def test_voices_apart_by_backup_and_only_the_one_with_words(tmp_path):
    other = note("", 16, "C3").replace("<voice>1</voice>", "<voice>2</voice>")
    backed = "<backup><duration>16</duration></backup>"
    assert sung(read(tmp_path, score(first(note("あ", 8), note("い", 8), backed, other)))) == ["あ", "い"]


def test_a_compressed_score_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "song.mxl", "w") as packed:
        packed.writestr("META-INF/container.xml", "<container/>")
        packed.writestr("score.xml", score(first(note("あ"))))
    assert sung(musicxml.read(tmp_path / "song.mxl")) == ["あ"]


def test_of_two_parts_with_words_one_must_be_named(tmp_path):
    text = score(first(note("あ")), parts=[("Alto", first(note("い")))])
    with pytest.raises(DataError, match=r"2 parts have words: 'Voice', 'Alto'\n.*--part"):
        read(tmp_path, text)
    for name in ("alto", "P2", "2"):
        assert sung(read(tmp_path, text, name)) == ["い"]
    with pytest.raises(DataError, match="no part 'Bass'"):
        read(tmp_path, text, "Bass")


BOMB = '<!DOCTYPE s [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><score-partwise>&b;</score-partwise>'
OUTSIDE = '<!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/hostname">]><score-partwise>&x;</score-partwise>'


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "no readable XML"),
        ("<score-partwise>", "no readable XML"),
        ("not xml", "no readable XML"),
        (HEAD + "<score-timewise/>", "expected score-partwise, found score-timewise"),
        (HEAD + "<score-partwise/>", "no part has words"),
        (score(first(note(""))), "no part has words"),
        (BOMB, "entities"),
        (OUTSIDE, "entities"),
        (score(first(note("あ", "x"))), "could not convert"),
        (score(first(note("あ", -4))), "duration"),
        (score(first(note("あ"), divisions=0)), "divisions"),
        (score(first(note("あ", pitch="H4"))), "pitch"),
        (score(first(note("あ"), tempo=100000)), "tempo"),
        (score(first(note("あ"), beats="x")), "could not convert"),
        (score(first(note("あ"), unit=0)), "division by zero|zero"),
    ],
)
def test_broken_and_hostile_scores_are_refused_by_name(tmp_path, text, found):
    with pytest.raises(DataError, match=found) as stopped:
        read(tmp_path, text)
    assert "song.musicxml" in str(stopped.value)


def test_a_compressed_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "song.mxl").write_bytes(b"PK nothing")
    with pytest.raises(DataError, match=r"song\.mxl"):
        musicxml.read(tmp_path / "song.mxl")
    with zipfile.ZipFile(tmp_path / "empty.mxl", "w") as packed:
        packed.writestr("readme.txt", "")
    with pytest.raises(DataError, match="holds no score"):
        musicxml.read(tmp_path / "empty.mxl")
    with pytest.raises(DataError, match="gone"):
        musicxml.read(tmp_path / "gone.xml")
