import json
from dataclasses import replace

import pytest

import onsei
from onsei.data.manifest import Manifest
from tests.classification.sounds import command, rows, write
from tests.commands import assert_refused


@pytest.fixture
def folded(corpus):
    """Rows in three folds and of two speakers."""
    chosen = [
        replace(row, speaker="ab"[n % 2], extra={"fold": n // 3 % 3 + 1}) for n, row in enumerate(rows(corpus, 27))
    ]
    return write(corpus, chosen, "folded.jsonl")


def cross(capsys, recipe, folded, run, *words):
    return command(capsys, "cross-validate", recipe, "--manifest", folded, "--output-dir", run, *words)


def test_every_fold_is_tested_by_a_training_on_the_others(capsys, recipe, folded, tmp_path):
    out = tmp_path / "out.json"
    answer = cross(capsys, recipe, folded, tmp_path / "runs", "--json", out)
    assert answer.status == 0, answer.err
    numbers = json.loads(out.read_text(encoding="utf-8"))
    folds = [numbers[f"accuracy_{fold}"] for fold in (1, 2, 3)]
    assert numbers["accuracy_mean"] == pytest.approx(sum(folds) / 3)
    assert numbers["folds"] == 3
    tested = []
    for fold in (1, 2, 3):
        train, test = (
            {row.id for row in Manifest.open(tmp_path / "runs" / "lists" / f"fold-{fold}-{part}.jsonl")}
            for part in ("train", "test")
        )
        assert not train & test
        assert len(train | test) == 27
        tested += sorted(test)
        assert onsei.load(tmp_path / "runs" / f"fold-{fold}", device="cpu").labels == ("chirp", "hum", "noise")
    assert len(set(tested)) == len(tested) == 27
    assert f"{numbers['accuracy_mean']:.2f}" in answer.out


def test_folds_may_be_speakers_and_some_of_them_only(capsys, recipe, folded, tmp_path):
    out = tmp_path / "out.json"
    answer = cross(capsys, recipe, folded, tmp_path / "runs", "--by", "speaker", "--folds", "b", "--json", out)
    assert answer.status == 0, answer.err
    numbers = json.loads(out.read_text(encoding="utf-8"))
    assert numbers["folds"] == 1
    assert numbers["accuracy_std"] == 0
    test = Manifest.open(tmp_path / "runs" / "lists" / "speaker-b-test.jsonl")
    assert {row.speaker for row in test} == {"b"}


def test_what_cannot_be_cross_validated_is_refused(capsys, recipe, folded, corpus, tmp_path):
    run = tmp_path / "runs"
    assert_refused(command(capsys, "cross-validate", recipe, "--output-dir", run), "--manifest")
    assert_refused(cross(capsys, recipe, folded, run, "--folds", "1,9"), "9", "1, 2, 3")
    assert_refused(cross(capsys, recipe, folded, run, "--by", "artist"), "27 rows have no key 'artist'")
    assert_refused(cross(capsys, recipe, folded, run, "--val-manifest", folded), "val_manifest")
    one = write(corpus, [replace(row, extra={"fold": 1}) for row in rows(corpus)], "one.jsonl")
    assert_refused(cross(capsys, recipe, one, run), "expected 2 to 100 folds")
    assert not run.exists()
    (run / "fold-1").mkdir(parents=True)
    (run / "fold-1" / "diary.txt").write_text("mine", encoding="utf-8")
    assert_refused(cross(capsys, recipe, folded, run), "fold-1", "holds something")
    assert not (run / "lists").exists()
