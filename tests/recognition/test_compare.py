"""`compare`: two tables of the same utterances, and how sure the difference is."""

import json

import pytest

from tests.commands import assert_refused
from tests.recognition.corpus import command


def table(path, pairs, **more):
    """A table of (reference, hypothesis) pairs."""
    rows = [{"id": f"u{n}", "reference": r, "hypothesis": h, **more} for n, (r, h) in enumerate(pairs)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def worse(tmp_path):
    return table(tmp_path / "worse.jsonl", [("A B C D", "A B X D" if n % 2 else "A X C X") for n in range(40)])


@pytest.fixture
def better(tmp_path):
    return table(tmp_path / "better.jsonl", [("A B C D", "A B C D" if n % 4 else "A B C X") for n in range(40)])


def compared(capsys, first, second, *words):
    out = first.parent / "numbers.json"
    answer = command(capsys, "compare", first, second, "--json", out, *words)
    assert answer.status == 0, answer.err
    return json.loads(out.read_text()), " ".join(answer.out.split())


def test_a_clear_improvement_is_certain_and_its_interval_is_below_zero(capsys, worse, better):
    found, out = compared(capsys, worse, better)
    assert (found["first_wer"], found["second_wer"]) == (37.5, 6.25)
    assert found["wer_difference"] == -31.25
    assert found["wer_low"] < -31.25 < found["wer_high"] < 0
    assert found["wer_improvement"] == 1.0
    assert found["first_wer_low"] < 37.5 < found["first_wer_high"]
    assert (found["normalizer"], found["bootstrap_by"], found["utterances"]) == ("none", "utterance", 40)
    assert "in 100.0 % of draws" in out
    back, _ = compared(capsys, better, worse)
    assert back["wer_improvement"] == 0.0


def test_a_table_against_itself_is_a_tie(capsys, worse):
    found, _ = compared(capsys, worse, worse)
    assert (found["wer_difference"], found["wer_low"], found["wer_high"], found["wer_improvement"]) == (0, 0, 0, 0.5)


def test_order_does_not_matter_and_normalizers_make_cases_one(capsys, tmp_path):
    first = table(tmp_path / "a.jsonl", [("A b, c", "A b, c"), ("D", "E")])
    lines = table(tmp_path / "b.jsonl", [("a B C", "a B X"), ("d", "d")]).read_text().splitlines()
    (tmp_path / "b.jsonl").write_text("\n".join(reversed(lines)) + "\n")
    assert_refused(command(capsys, "compare", first, tmp_path / "b.jsonl"), "references differ", "--normalizer basic")
    found, out = compared(capsys, first, tmp_path / "b.jsonl", "--normalizer", "basic")
    assert (found["first_wer"], found["second_wer"]) == (25.0, 25.0)
    assert "normalizer: basic" in out


def test_tables_that_do_not_belong_together_are_told(capsys, worse, tmp_path):
    few = table(tmp_path / "few.jsonl", [("A B C D", "A")])
    assert_refused(command(capsys, "compare", worse, few), "39 of its 40 utterances are not in the other table", "u1")
    other = table(tmp_path / "other.jsonl", [("A B C D", "A")] * 40, normalizer="basic")
    assert_refused(command(capsys, "compare", worse, other), "basic, none", "--normalizer")
    assert_refused(command(capsys, "compare", worse, few, "--bootstrap-by", "speaker"), "utterances")
    assert_refused(command(capsys, "compare", worse, worse, "--bootstrap-by", "speaker"), "without a speaker")


@pytest.mark.parametrize(
    "text", ["", "no json\n", "[1]\n", '{"id": "a"}\n', '{"id": 1, "reference": "", "hypothesis": ""}\n']
)
def test_what_is_no_table_is_named(text, capsys, worse, tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text(text)
    assert_refused(command(capsys, "compare", worse, path), "bad.jsonl")
    assert_refused(command(capsys, "compare", worse, tmp_path / "nowhere.jsonl"), "nowhere.jsonl")
