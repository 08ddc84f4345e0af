"""`evaluate`: the numbers are jiwer's, faults are counted, nothing is NaN."""

import json
from dataclasses import replace

import jiwer
import pytest

from tests.recognition.corpus import BAD, assert_refused, command, rows, write, write_bad


def evaluate(capsys, model, manifest, folder, *words):
    paths = ("--json", folder / "numbers.json", "--table", folder / "table.jsonl")
    where = ("--num-workers", "0", "--device", "cpu")
    return command(capsys, "evaluate", model, "--test-manifest", manifest, *paths, *where, *words)


def numbers(folder):
    def refuse(name):
        raise AssertionError(f"{name} in JSON")

    return json.loads((folder / "numbers.json").read_text(encoding="utf-8"), parse_constant=refuse)


def table(folder):
    return [json.loads(line) for line in (folder / "table.jsonl").read_text(encoding="utf-8").splitlines()]


def test_rates_are_those_of_jiwer_on_the_table(capsys, model, corpus, tmp_path):
    assert evaluate(capsys, model, corpus / "val.jsonl", tmp_path).status == 0
    references, hypotheses = zip(*((row["reference"], row["hypothesis"]) for row in table(tmp_path)), strict=True)
    found = numbers(tmp_path)
    assert all(isinstance(value, int | float) for value in found.values())
    assert found["utterances"] == len(references) == 30
    assert 0 < found["wer"] < 60  # there is something to count, and the model is not deaf
    assert found["wer"] == pytest.approx(100 * jiwer.wer(list(references), list(hypotheses)))
    assert found["cer"] == pytest.approx(100 * jiwer.cer(list(references), list(hypotheses)))
    pairs = [[text.replace(" ", "") for text in texts] for texts in (references, hypotheses)]
    assert found["cer_no_spaces"] == pytest.approx(100 * jiwer.cer(*pairs))


def test_a_person_gets_a_table(capsys, model, corpus, tmp_path):
    out = evaluate(capsys, model, corpus / "val.jsonl", tmp_path, "--verbose").out
    assert "WER %" in out
    assert "val-0" in out


def test_rows_that_cannot_be_read_are_named_and_counted(capsys, model, corpus, tmp_path):
    good = rows(corpus, 3, "val")
    bad = [replace(good[0], id=kind, audio=write_bad(tmp_path / "bad", kind), duration=1.0) for kind in BAD]
    bad.append(replace(good[0], id="no-text", text=None))
    answer = evaluate(capsys, model, write(tmp_path, [*good, *bad]), tmp_path)
    assert answer.status == 0, answer.err
    assert numbers(tmp_path)["unreadable"] == len(bad)
    assert numbers(tmp_path)["utterances"] == 3
    assert all(f"not read: {row.id}" in answer.out for row in bad)


def test_nothing_readable_is_an_error(capsys, model, corpus, tmp_path):
    bad = [replace(row, audio=tmp_path / "nowhere.wav") for row in rows(corpus, 3, "val")]
    assert_refused(evaluate(capsys, model, write(tmp_path, bad), tmp_path), "none of its 3 utterances")
    assert not (tmp_path / "numbers.json").exists()


def test_silent_references_give_no_nan(capsys, model, corpus, tmp_path):
    silent = [replace(row, text="") for row in rows(corpus, 2, "val")]
    assert evaluate(capsys, model, write(tmp_path, silent), tmp_path).status == 0
    assert numbers(tmp_path)["wer"] is None
    assert "NaN" not in (tmp_path / "table.jsonl").read_text()


def test_characters_outside_the_labels_are_told_and_counted(capsys, model, corpus, tmp_path):
    odd = [replace(row, text=f"{row.text} X9X") for row in rows(corpus, 2, "val")]
    path = write(tmp_path, odd)
    answer = evaluate(capsys, model, path, tmp_path)
    assert answer.status == 0, answer.err
    assert "'X' × 4, '9' × 2; left out" in " ".join(answer.out.split())
    assert numbers(tmp_path)["unknown_characters"] == 6
    assert_refused(evaluate(capsys, model, path, tmp_path, "--unknown-characters", "fail"), "'X' × 4")


@pytest.mark.parametrize("text", ["", "not json\n", "\0\0\0"])
def test_a_manifest_that_is_none_is_named(text, capsys, model, tmp_path):
    path = tmp_path / "test.jsonl"
    path.write_text(text)
    assert_refused(evaluate(capsys, model, path, tmp_path), "test.jsonl")
    assert_refused(evaluate(capsys, model, tmp_path / "nowhere.jsonl", tmp_path), "nowhere.jsonl")
