"""`evaluate`: the numbers are jiwer's, faults are counted, nothing is NaN."""

import json
import weakref
from dataclasses import replace

import jiwer
import pytest

from onsei.systems.recognition import evaluation
from onsei.systems.recognition.config import Evaluate
from onsei.systems.recognition.evaluation import tally
from onsei.systems.recognition.evaluation.tables import rates
from onsei.systems.recognition.evaluation.tally import Utterance
from tests.commands import assert_refused
from tests.recognition.corpus import BAD, command, rows, write, write_bad


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
    words = {"normalizer": "none", "bootstrap_by": "utterance"}
    assert {name: value for name, value in found.items() if not isinstance(value, int | float)} == words
    assert found["utterances"] == len(references) == 30
    assert 0 < found["wer"] < 60  # there is something to count, and the model is not deaf
    assert found["wer"] == pytest.approx(100 * jiwer.wer(list(references), list(hypotheses)))
    assert found["cer"] == pytest.approx(100 * jiwer.cer(list(references), list(hypotheses)))
    pairs = [[text.replace(" ", "") for text in texts] for texts in (references, hypotheses)]
    assert found["cer_no_spaces"] == pytest.approx(100 * jiwer.cer(*pairs))


def test_intervals_enclose_the_rates_and_follow_from_the_seed(capsys, model, corpus, tmp_path):
    out = evaluate(capsys, model, corpus / "val.jsonl", tmp_path).out
    found = numbers(tmp_path)
    for name in ("wer", "cer", "cer_no_spaces"):
        assert 0 <= found[f"{name}_low"] < found[name] < found[f"{name}_high"]
    assert f"{found['wer_low']:.2f} – {found['wer_high']:.2f}" in out
    assert "normalizer: none" in out
    again = []
    for seed in ("0", "1"):
        evaluate(capsys, model, corpus / "val.jsonl", tmp_path, "--seed", seed)
        again.append((numbers(tmp_path)["wer_low"], numbers(tmp_path)["wer_high"]))
    assert again[0] == (found["wer_low"], found["wer_high"]) != again[1]


def test_speakers_are_drawn_whole_where_rows_have_them(capsys, model, corpus, tmp_path):
    spoken = [replace(row, speaker=f"s{n % 3}") for n, row in enumerate(rows(corpus, 12, "val"))]
    path = write(tmp_path, spoken)
    assert "over speakers" in evaluate(capsys, model, path, tmp_path).out
    assert (numbers(tmp_path)["bootstrap_by"], numbers(tmp_path)["speakers"]) == ("speaker", 3)
    assert table(tmp_path)[0]["speaker"] in {"s0", "s1", "s2"}
    evaluate(capsys, model, path, tmp_path, "--bootstrap-by", "utterance")
    assert numbers(tmp_path)["bootstrap_by"] == "utterance"
    mixed = write(tmp_path, [replace(spoken[0], speaker=None), *spoken[1:]])
    assert_refused(evaluate(capsys, model, mixed, tmp_path, "--bootstrap-by", "speaker"), "1 of 12", "no speaker")


def test_the_normalizer_is_stated_and_changes_what_counts(capsys, model, corpus, tmp_path):
    path = write(tmp_path, rows(corpus, 6, "val"))
    evaluate(capsys, model, path, tmp_path)
    plain = numbers(tmp_path)["wer"]
    assert "normalizer: basic" in evaluate(capsys, model, path, tmp_path, "--normalizer", "basic").out
    assert (numbers(tmp_path)["wer"], numbers(tmp_path)["normalizer"]) == (plain, "basic")
    assert table(tmp_path)[0]["normalizer"] == "basic"


def test_text_without_spaces_has_its_cer_first():
    numbers = dict.fromkeys(("sentence_error_rate", "utterances", "words", "real_time_factor"), 1.0)
    for name in ("wer", "cer", "cer_no_spaces"):
        numbers |= {name: 10.0, f"{name}_low": 5.0, f"{name}_high": 15.0}
    for spaced, first in ((True, "WER %"), (False, "CER %")):
        assert next(rates(numbers, "title", spaced).columns[0].cells) == first


def test_utterances_are_not_held_while_the_table_is_written(model, corpus, tmp_path, monkeypatch):
    """With millions of rows only counts may stay; the ten worst do, by design."""
    alive, most = weakref.WeakSet(), 0

    class Watched(Utterance):
        def __init__(self, *values):
            super().__init__(*values)
            nonlocal most
            alive.add(self)
            most = max(most, len(alive))

        __hash__ = object.__hash__

    monkeypatch.setattr(tally, "Utterance", Watched)
    monkeypatch.setattr(evaluation, "_WORST", 1)
    options = Evaluate(str(model), corpus / "val.jsonl", table=tmp_path / "table.jsonl", num_workers=0, device="cpu")
    evaluation.evaluate(options)
    assert len(table(tmp_path)) == 30
    assert most <= 4


def test_a_table_is_written_whole_or_not_at_all(capsys, model, corpus, tmp_path):
    (tmp_path / "table.jsonl").write_text("the old one")
    bad = [replace(row, audio=tmp_path / "nowhere.wav") for row in rows(corpus, 2, "val")]
    assert evaluate(capsys, model, write(tmp_path, bad), tmp_path).status == 2
    assert (tmp_path / "table.jsonl").read_text() == "the old one"
    assert not list(tmp_path.glob(".table*"))


def test_a_person_gets_a_table(capsys, model, corpus, tmp_path):
    out = evaluate(capsys, model, corpus / "val.jsonl", tmp_path, "--verbose").out
    assert "WER %" in out
    assert "val-0  WER" in out


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
    assert evaluate(capsys, model, write(tmp_path, silent), tmp_path, "--verbose").status == 0
    assert numbers(tmp_path)["wer"] is None
    assert numbers(tmp_path)["wer_low"] is None
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
