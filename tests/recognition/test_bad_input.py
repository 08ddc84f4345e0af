"""`train` against bad input: one clear message, nothing lost, and rows at fault are quarantined."""

import errno
import json
from dataclasses import replace

import numpy as np
import pytest

from onsei import paths
from onsei.audio import io
from onsei.config import parse_flags
from onsei.systems.recognition.config import Train
from onsei.systems.recognition.data import batches
from tests.commands import assert_refused
from tests.recognition.corpus import BAD, command, rows, steps, train, write, write_bad, write_recipe
from tests.runs import quarantined


def files(folder):
    """Every file below a folder and its content."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_bad_files_are_quarantined_and_the_run_goes_on(capsys, corpus, recipe, tmp_path):
    good = rows(corpus, 4)
    bad = [replace(good[0], id=kind, audio=write_bad(tmp_path / "bad", kind), duration=1.0) for kind in BAD]
    path = write(tmp_path, [*good, *bad])
    answer = train(capsys, recipe, path, tmp_path / "run", "--val-manifest", path, "--epochs", "2")
    assert answer.status == 0, answer.err
    assert set(quarantined(tmp_path / "run")) == set(BAD)
    assert f"{len(BAD)} rows in quarantine" in answer.out + answer.err
    assert json.loads((tmp_path / "run" / "onsei.json").read_text())["history"]["quarantined"] == len(BAD)
    alone = write(tmp_path, good, "good.jsonl")
    assert train(capsys, recipe, alone, tmp_path / "alone").status == 0


def test_a_csv_manifest_with_one_percent_of_broken_files_trains(capsys, corpus, recipe, tmp_path):
    lines = []
    for number in range(100):
        row = rows(corpus, 4)[number % 4]
        (tmp_path / f"{number}.wav").hardlink_to(row.audio)
        (tmp_path / f"{number}.txt").write_text(row.text)
        lines.append(f"{number}.wav,{number}.txt")
    (tmp_path / "7.wav").unlink()
    (tmp_path / "70.txt").write_bytes(b"\xff\xfeA")
    path = tmp_path / "train.csv"
    path.write_text("\n".join(lines))
    answer = train(capsys, recipe, path, tmp_path / "run", "--batch-size", "50")
    assert answer.status == 0, answer.err
    assert "2 rows in quarantine" in answer.out + answer.err
    assert "1 of 100 transcripts cannot be read" in answer.out
    assert "2 of 100 rows have no duration" in answer.out
    assert len(steps(tmp_path / "run")) == 2
    reasons = quarantined(tmp_path / "run").values()
    assert len(reasons) == 2
    assert all(any(name in reason for reason in reasons) for name in ("7.wav: no such file", "70.txt: not UTF-8"))


def test_a_file_that_breaks_in_mid_training_is_quarantined(capsys, corpus, recipe, tmp_path, monkeypatch):
    chosen = rows(corpus, 4)
    copies = [replace(row, audio=tmp_path / row.audio.name) for row in chosen]
    for row, copy in zip(chosen, copies, strict=True):
        copy.audio.write_bytes(row.audio.read_bytes())
    loads, load = [], batches.io.load

    def breaking(path, *words, **more):
        loads.append(path)
        if len(loads) == 5:  # the second epoch begins
            copies[2].audio.write_bytes(copies[2].audio.read_bytes()[:1000])
        return load(path, *words, **more)

    monkeypatch.setattr(batches.io, "load", breaking)
    answer = train(capsys, recipe, write(tmp_path, copies), tmp_path / "run", "--epochs", "3")
    assert answer.status == 0, answer.err
    assert list(quarantined(tmp_path / "run")) == [copies[2].id]
    assert "1 rows in quarantine" in answer.out + answer.err
    assert len(steps(tmp_path / "run")) == 6


def test_three_hours_in_one_row_are_quarantined_unread(capsys, corpus, recipe, tmp_path):
    good, path = rows(corpus, 3), tmp_path / "long.wav"
    head = bytearray(good[0].audio.read_bytes()[:44])
    size = 2 * 8000 * 3 * 3600
    head[4:8], head[40:44] = (size + 36).to_bytes(4, "little"), size.to_bytes(4, "little")
    with path.open("wb") as file:
        file.write(head)
        file.truncate(44 + size)
    long = replace(good[0], id="long", audio=path, duration=3 * 3600.0)
    assert train(capsys, recipe, write(tmp_path, [*good, long]), tmp_path / "run").status == 0
    assert list(quarantined(tmp_path / "run")) == ["long"]


@pytest.mark.parametrize("augment", [(), ("--augment.speed", "0.1"), ("--freq-masks", "1")])
def test_more_labels_than_frames_are_told_and_left_out(augment, capsys, corpus, recipe, tmp_path):
    good = rows(corpus, 3)
    crowded = replace(good[0], id="crowded", text="AEIO" * 100)
    path = write(tmp_path, [*good, crowded])
    answer = train(capsys, recipe, path, tmp_path / "run", *augment)
    assert answer.status == 0, answer.err
    assert "1 utterances with more labels than frames are left out: crowded" in answer.out
    assert list(quarantined(tmp_path / "run")) == ["crowded"]
    only = write(tmp_path, [crowded], "only.jsonl")
    assert_refused(train(capsys, recipe, only, tmp_path / "other", *augment), "no utterance has frames enough")


def test_characters_outside_the_labels_stop_or_are_dropped_with_counts(capsys, corpus, recipe, tmp_path):
    first, *rest = rows(corpus, 4)
    path = write(tmp_path, [replace(first, text="A é9é"), *rest])
    answer = train(capsys, recipe, path, tmp_path / "run")
    assert_refused(answer, "'é' × 2, '9' × 1", "--unknown-characters drop")
    assert not (tmp_path / "run").exists()
    answer = train(capsys, recipe, path, tmp_path / "run", "--unknown-characters", "drop")
    assert answer.status == 0, answer.err
    assert "'é' × 2, '9' × 1; left out" in answer.out
    assert not quarantined(tmp_path / "run")


def test_rows_without_text_and_empty_manifests_stop_before_training(capsys, corpus, recipe, tmp_path):
    first, *rest = rows(corpus, 3)
    untold = write(tmp_path, [replace(first, text=None), *rest], "untold.jsonl")
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"id": "a", "audio": "a.wav", "duration": 1, "text": "A"}\n{"id": \n')
    expected = {untold: first.id, empty: empty, broken: "broken.jsonl:2", tmp_path / "nowhere.jsonl": "nowhere"}
    for path, name in expected.items():
        assert_refused(train(capsys, recipe, path, tmp_path / "run"), name)
        good = write(tmp_path, rest, "good.jsonl")
        assert_refused(train(capsys, recipe, good, tmp_path / "run", "--val-manifest", path), name)
    assert not (tmp_path / "run").exists()


def test_nothing_readable_makes_no_model(capsys, corpus, recipe, tmp_path):
    bad = [replace(row, audio=tmp_path / "nowhere.wav") for row in rows(corpus, 3)]
    answer = train(capsys, recipe, write(tmp_path, bad), tmp_path / "run")
    assert_refused(answer, "none", "train.jsonl")
    assert not (tmp_path / "run" / "onsei.json").exists()


def test_a_folder_that_holds_a_run_keeps_every_byte(capsys, corpus, recipe, tmp_path):
    path = write(tmp_path, rows(corpus, 4))
    assert train(capsys, recipe, path, tmp_path / "run").status == 0
    before = files(tmp_path / "run")
    assert_refused(train(capsys, recipe, path, tmp_path / "run"), tmp_path / "run", "--continue-from")
    assert files(tmp_path / "run") == before


def test_a_full_disk_loses_nothing_and_the_run_can_go_on(capsys, corpus, recipe, tmp_path, monkeypatch):
    path, clock = write(tmp_path, rows(corpus, 4)), ("--epochs", "3", "--checkpoint-per-batch", "1")
    assert train(capsys, recipe, path, tmp_path / "straight", *clock).status == 0
    written, sync = [], paths._fsync

    def full(aside):
        written.append(aside)
        if len(written) > 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(aside)

    with monkeypatch.context() as patch:
        patch.setattr(paths, "_fsync", full)
        answer = train(capsys, recipe, path, tmp_path / "run", *clock)
    assert_refused(answer, "the disk is full", tmp_path / "run")
    assert list((tmp_path / "run" / "checkpoints").glob("step-*"))
    assert not [p for p in (tmp_path / "run").rglob("*") if p.suffix == ".part"]
    answer = train(capsys, recipe, path, tmp_path / "run", *clock, "--continue-from", tmp_path / "run")
    assert answer.status == 0, answer.err
    assert steps(tmp_path / "run") == steps(tmp_path / "straight")


def test_a_checkpoint_of_another_network_or_alphabet_is_refused(capsys, corpus, recipe, tmp_path):
    path, run = write(tmp_path, rows(corpus, 4)), tmp_path / "run"
    assert train(capsys, recipe, path, run).status == 0
    before = files(run)
    more = ("--epochs", "2", "--continue-from", run)
    assert_refused(train(capsys, recipe, path, tmp_path / "a", *more, "--hidden-size", "9"), "another network")
    turned, larger = tmp_path / "turned.json", tmp_path / "larger.json"
    turned.write_text('["_", "O", "I", "E", "A", " "]')
    larger.write_text('["_", "A", "E", "I", "O", " ", "U"]')
    assert_refused(train(capsys, recipe, path, tmp_path / "b", *more, "--labels-path", turned), "labels")
    assert_refused(train(capsys, recipe, path, tmp_path / "c", *more, "--labels-path", larger), "shape")
    assert files(run) == before


def test_a_probability_on_the_command_line_is_a_number(capsys, corpus, recipe, tmp_path):
    options = parse_flags(Train, ["--train-manifest", "t", "--output-dir", "o", "--noise-prob", "0.4"], prog="train")
    assert options.augment.noise_prob == 0.4
    path = write(tmp_path, rows(corpus, 2))
    for value in ("often", "1.5"):
        answer = train(capsys, recipe, path, tmp_path / "run", "--noise-prob", value)
        assert answer.status == 2
        assert "noise" in answer.err


def test_silence_trains_and_is_measured_without_nan(capsys, corpus, recipe, tmp_path):
    first, *others = rows(corpus, 3)
    io.save(tmp_path / "silence.wav", np.zeros(8000, np.float32), 8000)
    path = write(tmp_path, [replace(first, audio=tmp_path / "silence.wav", duration=1.0, text="A"), *others])
    answer = train(capsys, recipe, path, tmp_path / "run", "--val-manifest", path, "--epochs", "2")
    assert answer.status == 0, answer.err
    assert all(np.isfinite(value) for row in steps(tmp_path / "run") for value in row.values())
    assert not quarantined(tmp_path / "run")


def test_recipes_and_flags_with_typos_are_named_with_suggestions(capsys, corpus, recipe, tmp_path):
    path = write(tmp_path, rows(corpus, 2))
    recipe.write_text("modle: {hidden_size: 8}\ntraining: {epochs: many}\n")
    answer = train(capsys, recipe, path, tmp_path / "run")
    assert_refused(answer, "modle: unknown; did you mean model", "training.epochs", "many")
    write_recipe(corpus, tmp_path)
    answer = train(capsys, recipe, path, tmp_path / "run", "--epochz", "3")
    assert answer.status == 2
    assert "epochz" in answer.err
    assert "Traceback" not in answer.err
    assert not (tmp_path / "run").exists()


LABELS = {"not json": "not a JSON list", '{"a": 1}': "expected a JSON list", '["A", "_"]': "blank", '["_", "AB"]': "AB"}


@pytest.mark.parametrize("text", LABELS)
def test_labels_that_are_none_are_named(text, capsys, corpus, recipe, tmp_path):
    (tmp_path / "labels.json").write_text(text)
    path = write(tmp_path, rows(corpus, 2))
    answer = train(capsys, recipe, path, tmp_path / "run", "--labels-path", tmp_path / "labels.json")
    assert_refused(answer, LABELS[text])
    answer = train(capsys, recipe, path, tmp_path / "run", "--labels-path", tmp_path / "nowhere.json")
    assert_refused(answer, "nowhere.json")


def test_going_on_from_a_model_of_another_place_says_what_it_is(capsys, corpus, recipe, tmp_path):
    path = write(tmp_path, rows(corpus, 2))
    answer = train(capsys, recipe, path, tmp_path / "run", "--continue-from", tmp_path / "nowhere")
    assert_refused(answer, "nowhere")
    assert command(capsys, "train", "--help").status == 0
