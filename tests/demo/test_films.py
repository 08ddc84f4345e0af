"""The demo's films: the same from the same seed, never the test's utterances in training; and their chapter."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from tests.plots.test_report import Tags

from onsei.data.manifest import Manifest
from onsei.demo import articulation, run
from onsei.demo.films import MEL, SUBFRAMES, make_films
from onsei.errors import DataError
from onsei.systems.articulation.data.prepared import load_frames, load_mel, read_prepared, read_scaler
from onsei.vision import video

small = partial(make_films, train=2, val=1, test=1, seconds=1.0)


def content(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.npy")}


def test_films_are_prepared_as_training_wants_them(tmp_path):
    made = small(tmp_path / "a", 3)
    prepared, scaler = read_prepared(made.train), read_scaler(tmp_path / "a" / "scaler.json")
    assert scaler.prepared == prepared.prepared
    normal = []
    for path in (made.train, made.val, made.test):
        for row in Manifest.open(path):
            frames, mel = load_frames(row.video), load_mel(row.features, MEL.n_mels)
            assert frames.shape == (28, 128, 128)
            assert mel.shape == (64, 28 * SUBFRAMES)
            assert (frames.min(), frames.max()) == (0, 1)
            if path == made.train:
                normal.append(scaler.normalized(mel))
    assert abs(np.mean(normal)) < 1e-3
    assert np.std(normal) == pytest.approx(1, abs=1e-3)
    (shown,) = made.shown
    assert len(video.read(shown).frames) == 28
    assert shown.with_suffix(".npz").is_file()


def test_films_are_the_same_from_the_same_seed_and_are_kept(tmp_path):
    made = small(tmp_path / "a", 3)
    small(tmp_path / "b", 3)
    assert content(tmp_path / "a") == content(tmp_path / "b")
    stamp = made.train.stat().st_mtime_ns
    small(tmp_path / "a", 3)
    assert made.train.stat().st_mtime_ns == stamp
    small(tmp_path / "a", 4)
    assert content(tmp_path / "a") != content(tmp_path / "b")


def test_no_utterance_is_there_twice(tmp_path):
    made = make_films(tmp_path / "a", train=3, val=3, test=3, seconds=0.9)
    rows = [row for path in (made.train, made.val, made.test) for row in Manifest.open(path)]
    mels = [load_mel(row.features, MEL.n_mels) for row in rows]
    assert {row.speaker for row in rows[:3]} == {row.speaker for row in rows[-3:]} == {"one", "two", "three"}
    assert all(np.abs(a - b).max() > 1 for i, a in enumerate(mels) for b in mels[:i])


def test_a_folder_with_other_files_is_refused_untouched(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="nothing was touched"):
        make_films(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_the_chapter_is_made_kept_and_stands_beside_others(tmp_path, monkeypatch, capsys):
    shorter = articulation.options

    def options(*given):
        made = shorter(*given)
        return replace(made, training=replace(made.training, epochs=2, silent=True))

    monkeypatch.setattr(articulation, "make_films", small)
    monkeypatch.setattr(articulation, "options", options)
    demo = run.Demo(chapters=("articulation",), output_dir=tmp_path)
    run.demo(demo)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "untrained network" in Tags(page).words
    assert page.count("<audio") == 5
    assert page.count("<video") == 1
    assert "media-src data:" in page
    assert len(page) < 4_000_000
    seen = video.read(tmp_path / "articulation.mp4")
    assert seen.frames.shape == (28, 256, 768)
    assert seen.color
    printed = capsys.readouterr().out
    assert "log-mel error on films never seen" in printed
    assert "go on: onsei articulation explain" in printed
    weights = (tmp_path / "articulation" / "model.safetensors").stat().st_mtime_ns
    run.demo(demo)
    assert (tmp_path / "articulation" / "model.safetensors").stat().st_mtime_ns == weights
    assert json.loads((tmp_path / "report.chapters" / "articulation.json").read_text())["title"] == "Articulation"
