"""The demo's sounds: the same from the same seed, never the test's pitches in training; and their chapter."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from tests.plots.test_report import Tags

from onsei.data.manifest import Manifest
from onsei.demo import classification, run
from onsei.demo.noises import make_sounds
from onsei.demo.sounds import KINDS, RATE, SECONDS, Dice, make
from onsei.errors import DataError


def files(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_training_and_test_share_no_pitch_and_together_cover_the_range():
    drawn = {test: [Dice(np.random.default_rng(n), test)(100, 1600) for n in range(3000)] for test in (False, True)}
    assert min(map(min, drawn.values())) > 100
    assert max(map(max, drawn.values())) < 1600
    places = {test: set(np.floor(5 * np.log(np.array(values) / 100) / np.log(16))) for test, values in drawn.items()}
    assert places == {False: {0, 2, 4}, True: {1, 3}}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_sound_that_can_be_written(kind):
    for seed in range(4):
        samples = make(kind, Dice(np.random.default_rng(seed), bool(seed % 2)))
        assert samples.shape == (round(RATE * SECONDS),)
        assert samples.dtype == np.float32
        assert 0.05 < np.abs(samples).max() <= 1
    assert np.array_equal(samples, make(kind, Dice(np.random.default_rng(seed), bool(seed % 2))))


def test_a_corpus_is_the_same_from_the_same_seed_and_is_kept(tmp_path):
    small = partial(make_sounds, train=2, val=1, test=1)
    made = small(tmp_path / "a", 3)
    small(tmp_path / "b", 3)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert [len(Manifest.open(path)) for path in (made.train, made.val, made.test)] == [20, 10, 10]
    assert all(row.audio.is_file() and row.label in KINDS for row in Manifest.open(made.test))
    stamp = made.train.stat().st_mtime_ns
    small(tmp_path / "a", 3)
    assert made.train.stat().st_mtime_ns == stamp
    small(tmp_path / "a", 4)
    assert files(tmp_path / "a") != files(tmp_path / "b")


def test_a_folder_with_other_files_is_refused_untouched(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="nothing was touched"):
        make_sounds(tmp_path)
    assert files(tmp_path) == {"mine.txt": b"mine"}


def test_the_chapter_is_made_kept_and_stands_beside_others(tmp_path, monkeypatch, capsys):
    shorter = classification.options

    def options(*given):
        made = shorter(*given)
        return replace(made, training=replace(made.training, epochs=1, silent=True))

    monkeypatch.setattr(classification, "make_sounds", partial(make_sounds, train=2, val=1, test=2))
    monkeypatch.setattr(classification, "options", options)
    demo = run.Demo(chapters=("classification",), output_dir=tmp_path)
    run.demo(demo)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "untrained network" in Tags(page).words
    assert page.count("<audio") == page.count('class="clip"') > 5
    assert len(page) < 2_000_000
    assert (tmp_path / "report.chapters" / "classification.json").is_file()
    printed = capsys.readouterr().out
    assert "accuracy on sounds never heard" in printed
    assert "go on: onsei classification classify" in printed
    weights = (tmp_path / "classification" / "model.safetensors").stat().st_mtime_ns
    run.demo(demo)
    assert (tmp_path / "classification" / "model.safetensors").stat().st_mtime_ns == weights
    assert json.loads((tmp_path / "report.chapters" / "classification.json").read_text())["scripts"] == ["gallery.js"]


def test_every_chapter_can_be_chosen():
    from typing import get_args, get_type_hints

    names = {name for part in get_args(get_type_hints(run.Demo)["chapters"]) for name in get_args(part)}
    assert names == {chapter.name for chapter in run.CHAPTERS}
