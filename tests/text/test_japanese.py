"""Japanese transcripts come to one spelling, whatever they were typed with."""

import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.errors import MissingExtraError
from onsei.text import japanese
from onsei.text.alphabet import Alphabet
from onsei.text.spelling import Spelling


@pytest.mark.parametrize(
    ("written", "kanji", "kana"),
    [
        ("窓を開けて、空を見る。", "窓を開けて空を見る", "窓ヲ開ケテ空ヲ見ル"),
        ("「えっ、本当！？」と聞いた。", "えっ本当と聞いた", "エッ本当ト聞イタ"),
        ("ﾃﾚﾋﾞでﾆｭｰｽを見た", "テレビでニュースを見た", "テレビデニュースヲ見タ"),
        ("１２月３日　ＡＭ９：００", "12月3日AM900", "12月3日AM900"),
        (unicodedata.normalize("NFD", "がぎぐげご パン"), "がぎぐげごパン", "ガギグゲゴパン"),
        ("か゛くせい、は゜ん、ｶﾞｽ", "がくせいぱんガス", "ガクセイパンガス"),
        ("すごーーーい〜♪", "すごーいー", "スゴーイー"),
        ("東京〜大阪～京都", "東京大阪京都", "東京大阪京都"),
        ("みすゞ　たゞし　づゝ　バナヽ", "みすずただしづつバナナ", "ミスズタダシヅツバナナ"),
        ("人々、時〻、〆切、一ヶ月、〇五年", "人々時々〆切一ヶ月〇五年", "人々時々〆切一ヶ月〇五年"),
        ("ファン、ヴァイオリン、ゔ", "ファンヴァイオリンゔ", "ファンヴァイオリンヴ"),
        ("朝☀️だ👨‍👩‍👧😀！1️⃣番", "朝だ1番", "朝ダ1番"),
        ("葛\U000e0100城山", "葛城山", "葛城山"),
        ("USBメモリ＋Wi-Fi", "USBメモリWiFi", "USBメモリWiFi"),
        ("ー、。「」…", "", ""),
        ("", "", ""),
    ],
)
def test_sentences_are_spelled_by_the_rule(written, kanji, kana):
    assert japanese.kanji(written) == kanji
    assert japanese.kana(written) == kana


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("わたしは海へ行く。", "ワタシワウミエイク"),
        ("こんにちは", "コンニチワ"),
        ("１０人", "ジューニン"),
        ("トウキョウ", "トウキョウ"),
        ("ｺｰﾋｰ", "コーヒー"),
        ("😀。", ""),
    ],
)
def test_kanji_and_particles_are_read_aloud_but_katakana_stays(written, spoken):
    pytest.importorskip("pyopenjtalk")
    assert japanese.reading(written) == spoken


def test_a_reading_without_the_library_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyopenjtalk", None)
    assert japanese.reading("カタカナ") == "カタカナ"
    with pytest.raises(MissingExtraError, match=r"onsei\[japanese\]"):
        japanese.reading("漢字が読めない")


_TYPED = st.text(
    st.one_of(st.sampled_from("あがゝゞヽヾー〜~゛゜ﾞﾟ々、。 　𠮷葛ｱｶ🎌\ufe0f\u200d\u3099\u309a漢字aß"), st.characters()),
    max_size=12,
)


@settings(deadline=None)
@given(_TYPED, st.sampled_from(["plain", "kanji", "kana"]), st.sampled_from(["upper", "lower", "keep"]))
def test_spelling_twice_is_spelling_once(text, script, case):
    spell = Spelling(case, script)
    once = spell(text)
    assert spell(once) == once


@given(_TYPED)
def test_decomposed_and_composed_input_are_the_same(text):
    text = unicodedata.normalize("NFC", text)
    assert japanese.kanji(unicodedata.normalize("NFD", text)) == japanese.kanji(text)


def test_labels_of_a_script_give_the_spelled_text_back():
    alphabet = Alphabet(("_", *"そらはあおい空青"), "keep", script="kanji")
    assert alphabet.spoken("空は、青い！") == "空は青い"
    assert alphabet.decode(alphabet.encode("空は、青い！")) == "空は青い"
    assert alphabet.unknown(["海は、青い"]) == {"海": 1}
    assert not alphabet.spaced
