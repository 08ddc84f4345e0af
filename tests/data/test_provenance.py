"""What corpus a manifest is of is written beside it, passed on, and forgotten where it is no longer so."""

import json

from onsei.data import provenance
from onsei.data.merge import manifests_in
from onsei.data.provenance import FILE, KNOWN, Provenance
from onsei.hub.about import derived
from tests.commands import command
from tests.data import trees


def test_each_manifest_of_a_folder_has_its_own(tmp_path):
    train, test = tmp_path / "train.jsonl", tmp_path / "test.jsonl"
    provenance.note([train], KNOWN["LibriSpeech"])
    provenance.note([test], Provenance("mine"))
    assert provenance.of(train) == KNOWN["LibriSpeech"]
    assert provenance.of(test) == Provenance("mine")
    assert provenance.of(tmp_path / "val.jsonl") == Provenance()
    assert provenance.shared([train, train]) == KNOWN["LibriSpeech"]
    assert provenance.shared([train, test]) is None
    provenance.note([train, test], None)
    assert not (tmp_path / FILE).exists()


def test_a_damaged_file_tells_nothing_and_is_no_manifest(tmp_path):
    (tmp_path / "train.jsonl").write_text('{"audio": "a.wav"}\n', encoding="utf-8")
    for text in ("{", "[]", '{"train.jsonl": 3}'):
        (tmp_path / FILE).write_text(text, encoding="utf-8")
        assert provenance.of(tmp_path / "train.jsonl") == Provenance()
    assert manifests_in(tmp_path) == [tmp_path / "train.jsonl"]


def test_a_license_goes_from_the_corpus_to_the_model_card_by_way_of_a_split(capsys, tmp_path):
    trees.tedlium(tmp_path / "in")
    data = tmp_path / "data"
    answer = command(capsys, "recognition", "prepare", "tedlium", tmp_path / "in", "--output-dir", data)
    assert answer.status == 0, answer.err
    assert "utterances have words that nobody could write" in answer.out
    rows = [json.loads(line) for line in (data / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sum(row.get("unknown_words", 0) for row in rows) > 0
    assert not any("<unk>" in row["text"] for row in rows)
    split = ("data", "split", data / "train.jsonl", "--output-dir", tmp_path / "parts", "--val", "1")
    assert command(capsys, *split).status == 0
    assert provenance.of(tmp_path / "parts" / "train.jsonl") == KNOWN["TED-LIUM"]
    merge = ("data", "merge", "--merge-dir", tmp_path / "parts", "--output-path", tmp_path / "all" / "m.jsonl")
    assert command(capsys, *merge).status == 0
    assert provenance.of(tmp_path / "all" / "m.jsonl").license == "cc-by-nc-nd-3.0"


def test_every_license_is_one_that_a_card_can_derive_from():
    for known in KNOWN.values():
        assert derived([known.license]) == (known.license or "unknown")
