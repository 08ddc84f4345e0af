"""Pieces of words as labels: learned before training, saved with the model, resumed exactly, timed."""

import json
from dataclasses import replace

import numpy as np
import pytest

import onsei
from onsei.decoding.ctc import Path as LabelPath
from onsei.systems.recognition.config import Features
from onsei.systems.recognition.data import survey
from onsei.text.alphabet import Alphabet
from onsei.text.pieces import Pieces
from tests.commands import assert_refused
from tests.recognition.corpus import command, rows, steps, train, write
from tests.runs import facts

BPE = ("--units", "bpe", "--vocab-size", "10", "--lr", "0.02")


@pytest.fixture
def said(corpus, tmp_path):
    return write(tmp_path, rows(corpus, 6))


def test_pieces_are_learned_saved_and_give_spaces_back(capsys, corpus, said, unlabeled, tmp_path):
    answer = train(capsys, unlabeled, said, tmp_path / "run", *BPE, "--val-manifest", said, "--epochs", "4")
    assert answer.status == 0, answer.err
    saved = facts(tmp_path / "run")
    assert len(saved["labels"]) == 10
    assert any(label.startswith("▁") and len(label) > 1 for label in saved["labels"])
    table = tmp_path / "t.jsonl"
    words = ("--test-manifest", said, "--table", table, "--num-workers", "0", "--device", "cpu")
    assert command(capsys, "evaluate", tmp_path / "run", *words).status == 0
    found = [json.loads(line)["reference"] for line in table.read_text(encoding="utf-8").splitlines()]
    assert sorted(found) == sorted(row.text for row in rows(corpus, 6))
    answer = command(capsys, "transcribe", tmp_path / "run", rows(corpus, 1)[0].audio, "--format", "json")
    heard = json.loads(answer.out)
    assert heard["text"] == " ".join(word["text"] for word in heard["words"])


def test_words_take_their_times_from_their_pieces(capsys, said, unlabeled, tmp_path):
    assert train(capsys, unlabeled, said, tmp_path / "run", *BPE, "--max-steps", "1").status == 0
    runner = onsei.load(tmp_path / "run", device="cpu")
    numbers = runner.alphabet.encode("AE IO")
    starts = 5 * np.arange(len(numbers))
    path = LabelPath(np.array(numbers), starts, starts + 2, np.full(len(numbers), 0.5, np.float32))
    found = runner._transcript(path, 0.0, 0.0, 9.0)
    assert [word.text for word in found.words] == ["AE", "IO"]
    assert found.words[0].start == 0.0
    assert found.words[1].end == pytest.approx((starts[-1] + 2) * 0.02)
    assert "".join(span.text for span in found.characters).strip() == "AE IO"


def test_a_run_resumes_with_its_own_pieces_bit_for_bit(capsys, corpus, said, unlabeled, tmp_path):
    words = (*BPE, "--epochs", "2")
    assert train(capsys, unlabeled, said, tmp_path / "straight", *words).status == 0
    assert train(capsys, unlabeled, said, tmp_path / "halves", *words, "--max-steps", "2").status == 0
    again = command(capsys, "train", "--continue-from", tmp_path / "halves", "--max-steps", "0")
    assert again.status == 0, again.err
    assert steps(tmp_path / "halves") == steps(tmp_path / "straight")
    for name in ("pieces.model", "model.safetensors"):
        assert (tmp_path / "halves" / name).read_bytes() == (tmp_path / "straight" / name).read_bytes()


def test_the_verb_writes_pieces_that_training_takes(capsys, said, unlabeled, tmp_path):
    words = ("--units", "bpe", "--vocab-size", "9", "--case", "keep", "--output", tmp_path / "pieces")
    answer = command(capsys, "labels", said, *words)
    assert answer.status == 0, answer.err
    assert f"--pieces-path {tmp_path / 'pieces'}" in answer.out
    assert_refused(command(capsys, "labels", said, *words), "exists already")
    taken = ("--units", "bpe", "--pieces-path", tmp_path / "pieces", "--max-steps", "1")
    assert train(capsys, unlabeled, said, tmp_path / "run", *taken).status == 0
    assert len(facts(tmp_path / "run")["labels"]) == 9
    own = tmp_path / "run" / "pieces.model"
    assert own.read_bytes() == (tmp_path / "pieces" / "pieces.model").read_bytes()


def test_faults_are_told_before_training(capsys, corpus, recipe, said, unlabeled, tmp_path):
    run = tmp_path / "run"
    assert_refused(
        train(capsys, unlabeled, said, run, "--units", "bpe", "--vocab-size", "3"), "vocab_size: 3", "raise it"
    )
    assert_refused(train(capsys, recipe, said, run, *BPE), "bpe learns its labels")
    assert_refused(train(capsys, unlabeled, said, run, *BPE, "--pieces-path", tmp_path / "none"), "none")
    val = write(tmp_path, [replace(row, text="AQ") for row in rows(corpus, 2)], "val.jsonl")
    assert_refused(train(capsys, unlabeled, said, run, *BPE, "--val-manifest", val), "'Q' × 2")
    assert not run.exists()


def test_a_run_is_not_overwritten_and_keeps_its_pieces(capsys, said, unlabeled, tmp_path):
    assert train(capsys, unlabeled, said, tmp_path / "run", *BPE, "--max-steps", "1").status == 0
    before = (tmp_path / "run" / "pieces.model").read_bytes()
    answer = train(capsys, unlabeled, said, tmp_path / "run", "--units", "bpe", "--vocab-size", "8")
    assert_refused(answer, "already holds a run")
    assert (tmp_path / "run" / "pieces.model").read_bytes() == before


def test_the_survey_counts_pieces_not_characters(corpus):
    row = rows(corpus, 1)[0]
    text = "AEIO" * 8
    pieces = Alphabet.of_pieces(Pieces.learn([text] * 4, 10), "keep")
    short = replace(row, text=text, duration=0.2)  # 11 output frames
    assert len(pieces.encode(text)) < 11 < len(text)
    features = Features(sample_rate=8000)
    assert survey([short], pieces, features).too_long == ()
    assert survey([short], Alphabet(tuple("_AEIO"), "keep"), features).too_long == (row.id,)
