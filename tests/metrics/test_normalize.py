"""Normalizers: what they leave, what they take, and which is chosen."""

import jiwer
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from onsei.metrics.normalize import NORMALIZERS, normalizer
from onsei.metrics.wer import corpus_cer, corpus_wer
from onsei.text.alphabet import ENGLISH

BASIC = {
    "Hello,  world!": "hello world",
    "Don\u2019t say 'no'.": "don't say no",
    "the dogs' 'tis rock'n'roll": "the dogs tis rock'n'roll",
    "well-known U.S.": "well known u s",
    "ＡＢＣ　１２３": "abc 123",
    "ﾃｽﾄ、音声。": "テスト 音声",
    "スーパー・マーケット々": "スーパー マーケット々",
    "Straße ÉCOLE": "straße école",
    "cafe\u0301": "café",
    "5 € + 3 %": "5 3",
    "...": "",
}


@pytest.mark.parametrize("text", BASIC)
def test_basic_takes_case_width_and_punctuation(text):
    assert NORMALIZERS["basic"](text) == BASIC[text]


@given(st.text() | st.text("a0'_\u2019. "))
@example("0'_")
def test_a_normalized_text_stays_as_it_is(text):
    for rule in NORMALIZERS.values():
        assert rule(rule(text)) == rule(text)


@given(st.lists(st.sampled_from(["A", "DON'T", "WORLD", "O'CLOCK"])))
def test_text_in_the_labels_of_deepspeech_pytorch_keeps_its_rates(words):
    said, heard = " ".join(words), " ".join(reversed(words))
    for rule in NORMALIZERS.values():
        assert corpus_wer([rule(said)], [rule(heard)]) == pytest.approx(corpus_wer([said], [heard]), nan_ok=True)


def test_rates_of_normalized_texts_are_those_of_jiwer():
    said = [
        "Author of the danger trail, Philip Steels, etc.",
        "Not at this particular case, Tom.",
        "For the 20th time!",
    ]
    heard = ["author of the danger trail philip steel etc", "Not at this Particular case Tom", "for the twentieth time"]
    words = jiwer.Compose([jiwer.ToLowerCase(), jiwer.RemovePunctuation(), jiwer.RemoveMultipleSpaces(), jiwer.Strip()])
    ours = [[NORMALIZERS["basic"](text) for text in texts] for texts in (said, heard)]
    assert ours == [words(said), words(heard)]
    assert corpus_wer(*ours) == pytest.approx(100 * jiwer.wer(words(said), words(heard)))
    assert corpus_cer(*ours) == pytest.approx(100 * jiwer.cer(words(said), words(heard)))
    assert corpus_wer(*ours) < corpus_wer(said, heard)


@pytest.mark.parametrize(
    ("labels", "name"),
    [
        (ENGLISH[1:], "none"),
        ("abc' ", "none"),
        ("AEIO ", "none"),
        (["ONE", "TWO"], "none"),
        ("あいう音声ー", "none"),
        (["\u2581the", "ing", "s"], "none"),
        ("ABCabc ", "basic"),
        ("abc,. ", "basic"),
        ("あいう、。", "basic"),
    ],
)
def test_auto_fits_the_labels(labels, name):
    assert normalizer("auto", labels).name == name
    assert normalizer("lower", labels).name == "lower"
    assert str(normalizer("basic", labels)).startswith("basic (NFKC")
