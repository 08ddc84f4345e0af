"""Flags of older tools become ours, or are told what to write."""

from typing import ClassVar

import pytest

from onsei import config
from onsei.errors import ConfigError
from onsei.former import Former


@config.options
class Inner:
    """A group."""

    FORMER: ClassVar = {
        "--opt-level": Former({"O1": "--precision fp16"}, "is precision here", "write --precision"),
        "--gone": Former({"*": ""}, "has no effect"),
    }
    precision: str = "fp32"
    """Number format."""


@config.options
class Outer:
    """Options."""

    FORMER: ClassVar = {"--cuda": Former({"": "--device cuda"}, switch=True), "--dir": Former({"*": "--name {value}"})}
    inner: Inner = Inner()
    """A group."""
    device: str = "auto"
    """Where."""
    name: str = ""
    """A name."""


def parse(*words):
    return config.parse_flags(Outer, words, prog="test")


@pytest.mark.parametrize("words", [("--opt-level", "O1"), ("--opt_level=O1",), ("--OPT-level", "O1")])
def test_a_former_flag_sets_todays_option_with_a_word(words, capsys):
    assert parse(*words).inner.precision == "fp16"
    assert "O1: is precision here" in capsys.readouterr().err


def test_switches_take_no_value_and_values_are_passed_on_whole(capsys):
    found = parse("--cuda", "--dir", "a folder", "--gone", "1.0")
    assert (found.device, found.name, found.inner.precision) == ("cuda", "a folder", "fp32")
    assert capsys.readouterr().err == "onsei: --gone 1.0: has no effect\n"
    assert parse("--gone", "--cuda").device == "cuda"


def test_a_value_without_an_equal_is_refused_with_the_mend():
    with pytest.raises(ConfigError, match="--opt-level O3: is precision here") as caught:
        parse("--opt-level", "O3")
    assert caught.value.mend == "write --precision"


def test_no_option_is_hidden_by_a_former_flag():
    from onsei import systems
    from onsei.former import _declared, _parts
    from onsei.system import resolve

    for system in systems():
        for verb in system.verbs:
            cls = resolve(verb.options)
            leaves = {"--" + row.path.rpartition(".")[2].replace("_", "-") for row in config.list_fields(cls)}
            former = {spelling: entry for part in _parts(cls) for spelling, entry in _declared(part).items()}
            for both in leaves & former.keys():  # a switch that once took a value: the value alone is what is former
                assert "*" not in former[both].words
                assert set(former[both].words.values()) <= {both, ""}
            for part in _parts(cls):
                for spelling, entry in _declared(part).items():
                    for words in entry.words.values():
                        name = words.partition(" ")[0].replace("--no-", "--")
                        # A value alone is the verb's first word.
                        assert words in ("", "{value}") or name in leaves, f"{spelling}: {words}"
