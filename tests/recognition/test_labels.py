"""Labels from data and Japanese: looked at beforehand, chosen in training, saved with the model."""

import json
from dataclasses import replace

import pytest

import onsei
from onsei import config
from onsei.systems.recognition.config import Request, Span, Train, Transcript
from onsei.systems.recognition.transcripts import subtitles, words_of
from tests.commands import assert_refused
from tests.recognition.corpus import command, rows, steps, train, write
from tests.runs import facts


def retold(corpus, *texts):
    return [replace(row, text=text) for row, text in zip(rows(corpus, len(texts)), texts, strict=True)]


def test_the_verb_counts_and_writes_what_training_reads(capsys, corpus, tmp_path):
    path = write(tmp_path, retold(corpus, "ab a", "ba", "abc"))
    out = tmp_path / "labels.json"
    answer = command(capsys, "labels", path, "--output", out, "--case", "lower", "--min-count", "2")
    assert answer.status == 0, answer.err
    assert json.loads(out.read_text(encoding="utf-8")) == ["_", "a", "b"]
    assert "'c' × 1" in answer.out
    assert "'a' 4" in answer.out
    assert f"--labels-path {out}" in answer.out
    assert_refused(command(capsys, "labels", path, "--output", out), "exists already")
    assert command(capsys, "labels", path, "--output", out, "--force").status == 0
    assert json.loads(out.read_text(encoding="utf-8")) == ["_", " ", "A", "B", "C"]


def test_a_manifest_without_text_has_no_labels(capsys, corpus, unlabeled, tmp_path):
    path = write(tmp_path, [replace(row, text=None) for row in rows(corpus, 2)])
    assert_refused(command(capsys, "labels", path), "no transcripts")
    assert_refused(train(capsys, unlabeled, path, tmp_path / "run", "--labels-from-data"), "transcripts")


def test_training_reads_its_labels_keeps_them_and_resumes_with_them(capsys, corpus, unlabeled, tmp_path):
    path = write(tmp_path, rows(corpus, 4))
    words = ("--labels-from-data", "--epochs", "2")
    assert train(capsys, unlabeled, path, tmp_path / "straight", *words).status == 0
    answer = train(capsys, unlabeled, path, tmp_path / "halves", *words, "--max-steps", "1")
    assert answer.status == 0, answer.err
    seen = sorted({c for row in rows(corpus, 4) for c in row.text})
    assert facts(tmp_path / "halves")["labels"] == ["_", *seen]
    resolved = config.from_yaml(Train, tmp_path / "halves" / "config.yaml")
    assert resolved.labels == ("_", *seen)
    again = command(capsys, "train", "--continue-from", tmp_path / "halves", "--max-steps", "0")
    assert again.status == 0, again.err
    assert steps(tmp_path / "halves")[-1] == steps(tmp_path / "straight")[-1]


def test_rare_characters_are_told_and_stop_nothing_but_strangers_do(capsys, corpus, unlabeled, tmp_path):
    path = write(tmp_path, retold(corpus, "AE AE", "EA", "AEX"))
    val = write(tmp_path, retold(corpus, "AEZ"), "val.jsonl")
    words = ("--labels-from-data", "--min-count", "2")
    answer = train(capsys, unlabeled, path, tmp_path / "run", *words)
    assert answer.status == 0, answer.err
    assert "'X' × 1" in answer.out
    assert facts(tmp_path / "run")["labels"] == ["_", "A", "E"]
    assert_refused(train(capsys, unlabeled, path, tmp_path / "other", *words, "--val-manifest", val), "'Z' × 1")
    assert_refused(train(capsys, unlabeled, path, tmp_path / "other", *words[:1], "--min-count", "9"), "--min-count")


def test_labels_given_twice_are_refused(capsys, corpus, recipe, tmp_path):
    path = write(tmp_path, rows(corpus, 2))
    answer = train(capsys, recipe, path, tmp_path / "run", "--labels-from-data")
    assert_refused(answer, "labels_from_data", "--no-labels-from-data")


JAPANESE = ("窓を、開ける。", "「まど」を見る！", "窓ヲ　ﾐﾙ")


def test_japanese_trains_is_measured_by_characters_and_answers_without_spaces(capsys, corpus, unlabeled, tmp_path):
    path = write(tmp_path, retold(corpus, *JAPANESE))
    words = ("--script", "kanji", "--labels-from-data", "--val-manifest", path, "--monitor", "val/wer", "--lr", "0.02")
    answer = train(capsys, unlabeled, path, tmp_path / "run", *words, "--epochs", "3")
    assert answer.status == 0, answer.err
    assert "val/cer in place of val/wer" in answer.out
    saved = facts(tmp_path / "run")
    assert saved["labels"] == ["_", *sorted(set("窓を開けるまどを見る窓ヲミル"))]
    assert saved["config"]["script"] == "kanji"
    assert saved["history"]["monitor"] == "val/cer"
    table = tmp_path / "t.jsonl"
    words = ("--test-manifest", path, "--table", table, "--num-workers", "0", "--device", "cpu")
    assert command(capsys, "evaluate", tmp_path / "run", *words).status == 0
    found = [json.loads(line)["reference"] for line in table.read_text(encoding="utf-8").splitlines()]
    assert sorted(found) == sorted(["窓を開ける", "まどを見る", "窓ヲミル"])
    runner = onsei.load(tmp_path / "run", device="cpu")
    heard = runner(Request(rows(corpus, 1)[0].audio))
    assert heard.text == "".join(word.text for word in heard.words)
    assert not runner.alphabet.spaced


def test_the_japanese_recipe_trains_on_readings(capsys, corpus, tmp_path):
    pytest.importorskip("pyopenjtalk")
    path = write(tmp_path, retold(corpus, "窓を開ける。", "今日は窓を見る", "マド"))
    small = ("--hidden-size", "8", "--hidden-layers", "1", "--conv-channels", "2", "--num-workers", "0")
    words = ("--script", "reading", "--min-count", "1", "--max-steps", "1", "--no-estimate-memory", "--device", "cpu")
    answer = train(capsys, "japanese", path, tmp_path / "run", *small, *words, "--sample-rate", "8000")
    assert answer.status == 0, answer.err
    assert set(facts(tmp_path / "run")["labels"][1:]) == set("マドヲアケルキョーワミ")


def test_wide_characters_fill_a_line_of_subtitles_twice_as_fast():
    words = tuple(Span(c, n / 100, n / 100 + 0.01, 1.0) for n, c in enumerate("あ" * 30))
    shown = subtitles(Transcript("あ" * 30, 1.0, 1.0, words, words), "srt")
    assert [line for line in shown.splitlines() if "あ" in line] == ["あ" * 21, "あ" * 9]


def test_words_begin_where_a_label_begins_with_a_space():
    def spans(*texts):
        return [Span(text, n / 10, n / 10 + 0.05, 0.5) for n, text in enumerate(texts)]

    found = [(w.text, w.start, w.end) for w in words_of(spans(" ", "a", "b", " ", " ", "c"))]
    assert found == [("ab", 0.1, 0.25), ("c", 0.5, 0.55)]
    assert [w.text for w in words_of(spans(" th", "e", " c", "at", " "))] == ["the", "cat"]
    assert words_of([]) == ()
