"""One dataclass, many readers: YAML, flags, JSON, schema; all faults at once, with dotted paths and suggestions."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onsei import config
from onsei.config import Positional, Positive, PositiveInt, flag, options
from onsei.errors import ConfigError


@options
class Network:
    """A network."""

    hidden_size: PositiveInt = 800
    """Width, in units."""
    bidirectional: bool = True
    """Read backward too."""
    kind: Literal["gru", "lstm"] = "gru"
    """Kind of layer."""


@options
class Job:
    """A job."""

    manifest: Path
    """Rows."""
    words: tuple[str, ...] = ()
    """Words."""
    model: Network = Network()
    """The network."""
    rate: Annotated[Positive, flag("--lr", "--learning-rate")] = 3e-4
    """Step size."""
    window: str = "hamming"
    """Shape."""


@options
class Call:
    """Words without flags."""

    model: Positional[str]
    """Folder."""
    audio: Positional[tuple[Path, ...]]
    """Files."""


def write(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def flags(*words, default=None):
    return config.parse_flags(Job, list(words), prog="job", default=default)


def test_yaml_is_1_2_so_1e4_is_a_number_and_off_a_word(tmp_path):
    path = write(tmp_path, "a.yaml", "manifest: 音声.jsonl\nrate: 1e-4\nwindow: off\n")
    job = config.from_yaml(Job, path)
    assert job.rate == 1e-4
    assert job.window == "off"
    assert job.manifest == Path("音声.jsonl")


def test_all_faults_come_at_once_with_paths_and_suggestions(tmp_path):
    path = write(tmp_path, "a.yaml", "model: {hiden_size: 3, kind: grru}\nrate: fast\nhidden_size: 4\n")
    with pytest.raises(ConfigError) as caught:
        config.from_yaml(Job, path)
    text = str(caught.value)
    assert "model.hiden_size: unknown; did you mean model.hidden_size?" in text
    assert "hidden_size: unknown; did you mean model.hidden_size?" in text
    assert "model.kind: expected 'gru' or 'lstm'; found \"grru\"" in text
    assert 'rate: expected a valid number; found "fast"' in text
    assert "manifest: required" in text
    assert len(caught.value.fields) == 5


@pytest.mark.parametrize("value", ['"1"', "true", "[1]", "1.5", "0", ".nan"])
def test_values_are_not_bent_to_fit(tmp_path, value):
    path = write(tmp_path, "a.yaml", f"manifest: m\nmodel: {{hidden_size: {value}}}\n")
    with pytest.raises(ConfigError, match=r"model\.hidden_size"):
        config.from_yaml(Job, path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "expected `key: value` lines, found list"),
        ("rate: [1\n", "not valid YAML"),
        ("rate: 1\nrate: 2\n", "duplicate key"),
        ("extends: a\n", "extends itself"),
        ("extends: nowhere\n", "no such recipe file"),
    ],
)
def test_a_broken_recipe_is_named(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        config.from_recipe(Job, write(tmp_path, "a.yaml", text))
    assert str(tmp_path) in str(caught.value)


def test_flags_win_over_recipe_over_extends_over_defaults(tmp_path):
    write(tmp_path, "base.yaml", "rate: 1e-3\nmodel: {hidden_size: 64, kind: lstm}\n")
    recipe = config.from_recipe(Job, write(tmp_path, "tiny.yaml", "extends: base\nmodel: {hidden_size: 32}\n"))
    job = flags("--manifest", "m", "--rate", "5e-4", default=recipe)
    assert job == Job(Path("m"), model=Network(hidden_size=32, kind="lstm"), rate=5e-4)


@pytest.mark.parametrize(
    "words",
    [
        ["--model.hidden-size", "8", "--model.no-bidirectional", "--lr", "0.1"],
        ["--hidden-size", "8", "--no-bidirectional", "--learning-rate", "0.1"],
        ["--hidden_size=8", "--no_bidirectional", "--learning_rate=0.1"],
    ],
)
def test_a_flag_may_be_spelled_with_or_without_its_group(words):
    assert flags("--manifest", "m", *words) == Job(Path("m"), model=Network(8, bidirectional=False), rate=0.1)


def test_bounds_hold_for_flags_too():
    with pytest.raises(ConfigError, match=r"model.hidden_size: expected greater than 0; found -3"):
        flags("--manifest", "m", "--hidden-size", "-3")


def test_a_required_flag_that_is_missing_is_named(tmp_path, capsys):
    recipe = config.from_recipe(Job, write(tmp_path, "a.yaml", "rate: 1\n"))
    with pytest.raises(SystemExit):
        flags(default=recipe)
    assert "--manifest" in capsys.readouterr().err


def test_words_without_flags():
    call = config.parse_flags(Call, ["folder", "a.wav", "日本 語.wav"], prog="call")
    assert call == Call("folder", (Path("a.wav"), Path("日本 語.wav")))


@given(
    st.builds(
        Job,
        manifest=st.text(st.characters(exclude_categories=["C"]), min_size=1).map(Path),
        words=st.lists(st.text(st.characters(exclude_categories=["C"]))).map(tuple),
        model=st.builds(Network, st.integers(1, 10**6), st.booleans(), st.sampled_from(["gru", "lstm"])),
        rate=st.floats(1e-9, 1e9),
        window=st.text(st.characters(exclude_categories=["C"])),
    )
)
def test_every_door_gives_the_same_object_back(job):
    assert config.from_dict(Job, config.to_dict(job)) == job
    assert config.from_json(Job, config._adapter(Job).dump_json(job)) == job


def test_yaml_written_is_yaml_read(tmp_path):
    job = Job(Path("音声 m.jsonl"), ("yes", "off", "1e3", "#x: y"), Network(3), 1e-7, "ハミング")
    assert config.from_yaml(Job, write(tmp_path, "a.yaml", config.to_yaml(job))) == job


def test_the_table_of_fields_has_types_defaults_and_docs():
    rows = {row.path: row for row in config.list_fields(Job)}
    assert list(rows) == [
        "manifest",
        "words",
        "model.hidden_size",
        "model.bidirectional",
        "model.kind",
        "rate",
        "window",
    ]
    assert rows["model.kind"].type == "gru | lstm"
    assert rows["model.hidden_size"].default == "800"
    assert rows["model.hidden_size"].doc == "Width, in units."


def test_options_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Network().hidden_size = 3


def test_a_recipe_may_have_a_section_a_stage(tmp_path):
    both = write(tmp_path, "both.yaml", "job:\n  manifest: a.jsonl\n  rate: 0.5\nother:\n  anything: 1\n")
    read = config.from_recipe(Job, both, section="job")
    assert (read.manifest, read.rate) == (Path("a.jsonl"), 0.5)
    whole = write(tmp_path, "whole.yaml", "manifest: b.jsonl\n")
    assert config.from_recipe(Job, whole, section="job").manifest == Path("b.jsonl")
    assert config.from_recipe(Job, both, section="lacking").rate == 3e-4
    wrong = write(tmp_path, "wrong.yaml", "job:\n  model:\n    hidden: 3\n")
    with pytest.raises(ConfigError, match=r"wrong\.yaml: job: 1 fault"):
        config.from_recipe(Job, wrong, section="job")
    with pytest.raises(ConfigError, match="job: expected"):
        config.from_recipe(Job, write(tmp_path, "list.yaml", "job: [1]\n"), section="job")
