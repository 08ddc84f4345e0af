"""`prepare`: from folders and CSV files to manifests, naming what cannot be used."""

import pytest

from onsei.audio import io
from onsei.data import provenance
from onsei.data.manifest import Manifest
from onsei.systems.recognition.data.example import RATE
from tests.commands import assert_refused
from tests.recognition.corpus import BAD, command, rows, tones, train, write, write_bad
from tests.runs import facts


def recordings(folder, count=5, seconds=0.2):
    for n in range(count):
        io.save(folder / "wav" / f"録音 {n}.wav", tones(seconds * (1 + n)), RATE)
        (folder / "wav" / f"録音 {n}.txt").write_text(f"text {n}\n", encoding="utf-8-sig")
    return folder


def prepare(capsys, kind, source, folder, *words):
    return command(capsys, "prepare", kind, source, "--output-dir", folder, *words)


def prepared(folder):
    return [list(Manifest.open(folder / f"{name}.jsonl")) for name in ("train", "val")]


def test_a_folder_becomes_two_manifests_without_common_rows(capsys, tmp_path):
    answer = prepare(capsys, "folder", recordings(tmp_path), tmp_path / "out", "--val-fraction", "0.4")
    assert answer.status == 0, answer.err
    training, held = prepared(tmp_path / "out")
    assert (len(training), len(held)) == (3, 2)
    assert sorted(row.text for row in training + held) == [f"text {n}" for n in range(5)]
    assert all(row.audio.is_file() and row.duration for row in training + held)


def test_bad_files_and_missing_texts_are_left_out_by_name(capsys, tmp_path):
    folder = recordings(tmp_path / "in")
    for kind in BAD:
        write_bad(folder / "wav", kind)
        (folder / "wav" / f"{kind}.txt").write_text("text")
    io.save(folder / "wav" / "untold.wav", tones(), RATE)
    io.save(folder / "wav" / "odd.wav", tones(), RATE)
    (folder / "wav" / "odd.txt").mkdir()
    answer = prepare(capsys, "folder", folder, tmp_path / "out", "--val-fraction", "0.2")
    assert answer.status == 0, answer.err
    for name in (set(BAD) - {"missing", "not-finite"}) | {"untold", "odd"}:
        assert f"{name}." in answer.out
    # What is not finite shows itself when samples are read: headers alone are looked at here.
    assert sum(map(len, prepared(tmp_path / "out"))) == 6


def test_a_csv_file_may_have_blank_lines_spaces_and_backslashes(capsys, tmp_path):
    recordings(tmp_path)
    lines = [f"wav\\録音 {n}.wav, wav/録音 {n}.txt" for n in range(5)]
    (tmp_path / "a.csv").write_text("\n\n".join(lines) + "\n\n", encoding="utf-8")
    answer = prepare(capsys, "csv", tmp_path / "a.csv", tmp_path / "out", "--val-fraction", "0.2")
    assert answer.status == 0, answer.err
    assert sum(map(len, prepared(tmp_path / "out"))) == 5


def test_manifests_that_are_there_stay_unless_forced(capsys, tmp_path):
    recordings(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "val.jsonl").write_text("mine")
    assert_refused(prepare(capsys, "folder", tmp_path, tmp_path / "out"), "val.jsonl", "--force")
    assert (tmp_path / "out" / "val.jsonl").read_text() == "mine"
    assert prepare(capsys, "folder", tmp_path, tmp_path / "out", "--force").status == 0


@pytest.mark.parametrize("kind", ["folder", "csv"])
def test_a_source_without_recordings_is_named(kind, capsys, tmp_path):
    assert_refused(prepare(capsys, kind, tmp_path / "nowhere", tmp_path / "out"), "nowhere")
    (tmp_path / "empty").mkdir()
    assert_refused(prepare(capsys, kind, tmp_path / "empty", tmp_path / "out"), "empty")


def test_short_and_long_training_sounds_are_left_out_and_counted(capsys, tmp_path):
    words = ("--min-duration", "0.3", "--max-duration", "0.9", "--val-fraction", "0")
    answer = prepare(capsys, "folder", recordings(tmp_path), tmp_path / "out", *words)
    assert "2 by duration" in answer.out
    assert len(prepared_training(tmp_path / "out")) == 3


def prepared_training(folder):
    return list(Manifest.open(folder / "train.jsonl"))


def test_recordings_of_one_name_get_names_apart(capsys, tmp_path):
    for folder, stem in (("a", "x"), ("b", "x"), ("c", "x-2")):
        io.save(tmp_path / "in" / folder / f"{stem}.wav", tones(), RATE)
        (tmp_path / "in" / folder / f"{stem}.txt").write_text(folder)
    assert prepare(capsys, "folder", tmp_path / "in", tmp_path / "out", "--val-fraction", "0").status == 0
    assert {row.text: row.id for row in prepared_training(tmp_path / "out")} == {"a": "x", "b": "x-3", "c": "x-2"}


def test_the_model_card_names_the_corpus_and_its_license(capsys, corpus, recipe, tmp_path):
    path = write(tmp_path, rows(corpus))
    provenance.note([path], provenance.KNOWN["LibriSpeech"])
    assert train(capsys, recipe, path, tmp_path / "run").status == 0
    card = (tmp_path / "run" / "README.md").read_text(encoding="utf-8")
    assert 'license: "cc-by-4.0"' in card
    assert "openslr/librispeech_asr" in card
    assert facts(tmp_path / "run")["about"]["data_license"] == "cc-by-4.0"
