"""The table of phones has SongBloom's rows, and lyrics go to rows and back with nothing dropped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onsei.errors import ConfigError
from onsei.text.phones import CHINESE, ENGLISH, JAPANESE, SYMBOLS, UNTRAINED, Phones


def test_the_rules_give_the_published_numbers_of_symbols():
    assert len(SYMBOLS) == len(set(SYMBOLS)) == 330
    assert SYMBOLS[:8] == ("", "[verse]", "[chorus]", "[bridge]", "[intro]", "[outro]", "[inst]", "[silence]")
    assert list(SYMBOLS[8:]) == sorted(SYMBOLS[8:])
    assert len(JAPANESE) == 38
    assert {"SP", "SP2", "SP3", "UNK", "_", "…", "AH0", "NG", "ang5", "zh", "cl"} < set(SYMBOLS)
    assert not {"kw", "gw", "ty", "fy"} & set(SYMBOLS)


def test_half_of_the_japanese_phones_are_reached_by_no_other_language():
    assert " ".join(UNTRAINED) == "I U a by cl dy e gy hy i ky my ny o py ry ts u v"
    assert not set(UNTRAINED) & {*ENGLISH, *CHINESE}


@given(st.lists(st.sampled_from(SYMBOLS)))
def test_symbols_go_to_rows_and_back(symbols):
    table = Phones()
    assert table.decode(table.encode(symbols)) == symbols


def test_unknown_symbols_are_all_named():
    with pytest.raises(ConfigError, match=r"2 symbols .* 330 lacks: 'kw' \(2\), 'ty' \(1\)"):
        Phones().encode(["k", "kw", "a", "kw", "ty"])


@pytest.mark.parametrize("written", ['["", "a"]', "{}", "[1]", '"a"', "not json", '{"a": [""], "b": [""]}'])
@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_a_file_that_is_no_table_is_refused(tmp_path, written, suffix):
    path = tmp_path / f"vocab{suffix}"
    path.write_text(written, encoding="utf-8")
    with pytest.raises(ConfigError):
        Phones.read(path)


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_a_checkpoints_own_table_is_read(tmp_path, suffix):
    path = tmp_path / f"vocab_g2p{suffix}"
    shorter = [symbol for symbol in SYMBOLS if symbol not in ("SP2", "SP3")]
    listed = ", ".join(f'"{symbol}"' for symbol in shorter)
    path.write_text(f'{{"vocab": [{listed}]}}' if suffix == ".json" else f"vocab: [{listed}]\n", encoding="utf-8")
    assert Phones.read(path).symbols == tuple(shorter)


def test_a_table_that_is_missing_is_named(tmp_path):
    with pytest.raises(ConfigError, match="gone"):
        Phones.read(tmp_path / "gone.json")
