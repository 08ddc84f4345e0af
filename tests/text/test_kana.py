"""Every mora goes to phones and back, and Open JTalk, where it differs, differs only as said."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onsei.text import kana
from onsei.text.kana import MORAE, morae, spelled
from onsei.text.phones import JAPANESE


def phones(text):
    return [phone for mora in morae(text) for phone in mora.phones]


@pytest.mark.parametrize("mora", MORAE)
def test_every_mora_goes_to_phones_of_the_table_and_back(mora):
    assert phones(mora) == list(MORAE[mora])
    assert set(MORAE[mora]) <= set(JAPANESE) - {"I", "U"}
    assert phones(spelled(MORAE[mora])) == list(MORAE[mora])


def test_every_kana_of_unicode_is_a_mora_or_is_said_not_to_be():
    blocks = [chr(code) for code in (*range(0x30A1, 0x30FB), *range(0x3041, 0x3097))]
    assert [c for c in blocks if not phones(c)] == []


def test_all_phones_but_devoiced_vowels_are_reached():
    assert {phone for sounds in MORAE.values() for phone in sounds} == set(JAPANESE) - {"I", "U"}


_SAID = {
    **dict.fromkeys("ヷヸヹヺヵヶ", ""),
    "ヂェ": "j i e", "ウァ": "u a", "フャ": "f u y a", "フョ": "f u y o", "フュ": "fy u",
    "テャ": "ty a", "テュ": "ty u", "テョ": "ty o", "ヴャ": "by a", "ヴュ": "by u", "ヴョ": "by o",
    "クヮ": "kw a", "クァ": "kw a", "クィ": "kw i", "クェ": "kw e", "クォ": "kw o",
    "グヮ": "gw a", "グァ": "gw a", "グィ": "gw i", "グェ": "gw e", "グォ": "gw o",
}  # fmt: skip
"""What Open JTalk makes of morae that it leaves out, takes apart, or has phones for that the table lacks."""


def test_open_jtalk_reads_every_mora_the_same_but_for_what_is_said():
    pyopenjtalk = pytest.importorskip("pyopenjtalk")
    differing = {}
    for mora, sounds in MORAE.items():
        theirs = [{"I": "i", "U": "u"}.get(phone, phone) for phone in pyopenjtalk.g2p(f"ナ{mora}ダ").split()]
        if theirs != ["n", "a", *sounds, "d", "a"]:
            differing[mora] = " ".join(theirs[2:-2])
    assert differing == _SAID


@given(st.lists(st.sampled_from([sounds for sounds in set(MORAE.values()) if sounds != ("w", "a")]), max_size=20))
def test_any_row_of_morae_goes_to_kana_and_back(syllables):
    flat = [phone for sounds in syllables for phone in sounds]
    assert phones(spelled(flat)) == flat


@given(st.text(st.sampled_from("あいラーっンきゃファー漢 x"), max_size=12))
def test_morae_cover_the_text_without_gap(text):
    found = morae(text)
    assert [mora.start for mora in found] == [0, *(mora.end for mora in found)][: len(found)]
    assert "".join(text[mora.start : mora.end] for mora in found) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ラーメン", "r a a m e N"), ("らーーめん", "r a a a m e N"), ("がっこう", "g a cl k o u"), ("んー", "N N"),
        ("ー", ""), ("っー", "cl"), ("シャツ", "sh a ts u"), ("テューバ", "t y u u b a"), ("クヮ", "k w a"),
    ],
)  # fmt: skip
def test_marks_follow_what_they_stand_behind(text, expected):
    assert " ".join(phones(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sakura", "s a k u r a"), ("konnichiwa", "k o N n i ch i w a"), ("gakkou", "g a cl k o u"), ("n", "N"),
        ("shin'ai", "sh i N a i"), ("matcha", "m a cl ch a"), ("tōkyō", "t o o ky o o"), ("ra-men", "r a a m e N"),
        ("syakkuri", "sh a cl k u r i"), ("tuki", "ts u k i"), ("sampo", "s a N p o"), ("love", None), ("xyz", None),
        ("", None),
    ],
)  # fmt: skip
def test_latin_spellings_are_read_where_they_are_japanese(text, expected):
    found = kana.latin(text)
    assert (None if found is None else " ".join(found)) == expected


def test_every_mora_has_a_latin_spelling_that_is_read_back():
    for mora in "アカサタナハマヤラワガザダバパンキシチニヒミリスツフ":
        assert kana.latin("".join(MORAE[mora])) == MORAE[mora], unicodedata.name(mora)
