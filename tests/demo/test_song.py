"""The demo's chapter on song: songs are kept, strangers refused, and the page has players, pictures and controls."""

import json
from dataclasses import replace

import pytest
from tests.plots.test_report import Tags

from onsei.data.manifest import Manifest
from onsei.demo import run, song
from onsei.errors import DataError
from onsei.systems.song.listener import Listener


@pytest.fixture
def small(monkeypatch):
    """The chapter with few songs, few steps and a hasty listener."""
    longer, listener = song.options, Listener.train

    def options(*given):
        made = longer(*given)
        return replace(made, training=replace(made.training, max_steps=2, validate_steps=2, threads=1, silent=True))

    monkeypatch.setattr(song, "SONGS", {"train": 8, "val": 2, "test": 2})
    monkeypatch.setattr(song, "_CODES", 12)
    monkeypatch.setattr(song, "_SAMPLING", replace(song._SAMPLING, steps=2))
    monkeypatch.setattr(song, "options", options)
    monkeypatch.setattr(song, "own_error", lambda *_, **__: song.compare("a", "a"))
    monkeypatch.setattr(Listener, "train", lambda **_: listener(songs=4, steps=4))


def test_the_chapter_is_made_kept_and_stands_beside_others(tmp_path, small, capsys):
    demo = run.Demo(chapters=("song",), output_dir=tmp_path)
    run.demo(demo)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    words = Tags(page).words
    for told in ("サカナノウタ", "ネコノセナカ", "untrained network", "other lyrics", "the listener's own errors"):
        assert told in words
    assert page.count("<audio") >= 3
    assert len(page) < 4_000_000
    printed = capsys.readouterr().out
    assert "phones wrong in songs with lyrics never seen" in printed
    assert "go on: onsei song generate" in printed
    weights = (tmp_path / "song" / "model.safetensors").stat().st_mtime_ns
    sound = (tmp_path / "songs" / "train" / "0000.wav").stat().st_mtime_ns
    run.demo(demo)
    assert (tmp_path / "song" / "model.safetensors").stat().st_mtime_ns == weights
    assert (tmp_path / "songs" / "train" / "0000.wav").stat().st_mtime_ns == sound
    assert json.loads((tmp_path / "report.chapters" / "song.json").read_text())["title"] == "Song"
    taught, asked = ({row.text for row in Manifest.open(tmp_path / f"songs/{n}.jsonl")} for n in ("train", "test"))
    assert not taught & asked


def test_a_folder_with_other_files_is_refused_untouched(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="nothing was touched"):
        song.make_songs(tmp_path, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
