"""Definitions side by side: what converts is converted exactly, the rest is told."""

from dataclasses import replace

import pytest
import torch

from onsei.errors import ConfigError
from onsei.vocoder.comparison import compare, convert
from onsei.vocoder.mel import LogMel, MelDefinition

MEL = MelDefinition(sample_rate=11413, n_fft=2048, hop_length=420, win_length=2048, n_mels=64, f_max=None)
SOUND = torch.randn(1, 8400, generator=torch.Generator().manual_seed(1)) * torch.linspace(0, 1, 8400).square()


@pytest.mark.parametrize("quantity", ["magnitude", "power"])
@pytest.mark.parametrize(
    "changed",
    [{"log": "decibel"}, {"log": "log10"}, {"norm": "none"}, {"floor": 1e-7}, {"log": "log10", "norm": "none"}],
)
def test_what_converts_is_exact(changed, quantity):
    wanted = replace(MEL, quantity=quantity)
    found = replace(wanted, **changed)
    differences = compare(wanted, found)
    assert [item.field for item in differences] == list(changed)
    assert all(item.converts for item in differences)
    torch.testing.assert_close(convert(LogMel(found)(SOUND), found, wanted), LogMel(wanted)(SOUND), atol=1e-4, rtol=0)


def test_the_memos_decibels_become_nepers_of_amplitude():
    seed = replace(MEL, quantity="power", log="decibel")
    (item,) = compare(replace(seed, log="natural"), seed)
    assert "0.115129" in item.mend  # ln 10 / 20


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"sample_rate": 22050, "f_max": 5706.5}, ["sample_rate: expected 11413 Hz, found 22050", "resample"]),
        ({"hop_length": 105}, ["hop_length", "vocoder of hop 105"]),
        ({"n_mels": 80}, ["64 bands, found 80", "anew"]),
        ({"f_max": 5000.0}, ["f_max: expected 5706.5 Hz, found 5000"]),
        ({"quantity": "power"}, ["quantity: expected magnitude, found power", "do not convert"]),
        ({"preemphasis": 0.97}, ["preemphasis: expected 0, found 0.97"]),
        ({"padding": "center"}, ["210 samples (18.4 ms) late", "cut off its first 210"]),
        ({"padding": "none"}, ["814 samples", "early", "silence"]),
        ({"peak": None}, ["expected 0.95, found as recorded", "bring each recording"]),
        ({"peak": 0.5}, ["add 0.6419"]),
        ({"floor": 1e-3}, ["hides what is softer"]),
        ({"epsilon": 1e-5}, ["epsilon"]),
    ],
)
def test_the_rest_is_told_in_words(changed, words):
    found = replace(MEL, **changed)
    (item,) = compare(MEL, found)
    assert not item.converts
    assert all(word in f"{item.text} → {item.mend}" for word in words), item
    assert compare(found, found) == []


def test_nothing_else_is_told_to_convert_what_must_be_made_anew():
    assert {item.field for item in compare(MEL, replace(MEL, n_mels=80, log="decibel", peak=None))} == {
        "n_mels",
        "peak",
    }
    with pytest.raises(ConfigError, match="n_mels"):
        convert(torch.zeros(1, 80, 4), replace(MEL, n_mels=80), MEL)


def test_the_same_limit_by_another_word_is_no_difference():
    assert compare(MEL, replace(MEL, f_max=5706.5)) == []
