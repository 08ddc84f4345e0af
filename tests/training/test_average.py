"""`onsei average`: the mean of checkpoints is a model that opens; nothing is overwritten."""

import json

import pytest
import torch

from onsei import cli
from onsei.hub import store
from onsei.training import checkpoint as checkpoints
from tests.training.test_transfer import saver
from tests.training.toys import Regression, fit


@pytest.fixture(name="run")
def fixture_run(tmp_path):
    """A finished run of four epochs, all kept, whose best are in the middle."""
    learner = Regression(norm=True, lr=0.05)
    fit(tmp_path / "run", learner, epochs=4, keep=9, save=saver(learner, ("a", "b")))
    (tmp_path / "run" / "pieces.model").write_bytes(b"pieces")
    (tmp_path / "run" / "acoustic_model").mkdir()
    (tmp_path / "run" / "acoustic_model" / "onsei.json").write_bytes(b"{}")
    return tmp_path / "run"


def average(run, target, *words):
    return cli.main(["average", str(run), "--output-dir", str(target), *words])


def state(checkpoint):
    return checkpoint.read_state()["modules"]["net"]


def test_the_last_ones_are_averaged_and_whole_numbers_are_the_newest(run, tmp_path, capsys):
    assert average(run, tmp_path / "mean", "--last", "3") == 0
    model = store.open(tmp_path / "mean")
    parts = [state(checkpoint) for checkpoint in checkpoints.list_readable(run)[-3:]]
    found = model.weights()
    assert found.keys() == parts[0].keys()
    for name, value in found.items():
        if name.endswith("num_batches_tracked"):
            assert torch.equal(value, parts[-1][name])
        else:
            expected = torch.stack([part[name].double() for part in parts]).mean(0).float()
            assert torch.equal(value, expected), name
    assert not torch.equal(found["1.running_var"], parts[-1]["1.running_var"])
    assert (model.system, model.labels, model.config) == ("toys", ("a", "b"), store.open(run).config)
    assert model.history["averaged"]["steps"] == [14, 21, 28]
    assert model.history["metrics"] == {}
    assert (tmp_path / "mean" / "pieces.model").read_bytes() == b"pieces"
    assert (tmp_path / "mean" / "acoustic_model" / "onsei.json").read_bytes() == b"{}"
    assert not (tmp_path / "mean" / "config.yaml").exists()
    assert not (tmp_path / "mean" / "checkpoints").exists()
    assert "the mean of 3 checkpoints, steps 14, 21, 28" in capsys.readouterr().out


def test_the_best_ones_are_those_of_validation(run, tmp_path):
    scores = {c.standing.step: c.standing.score for c in checkpoints.list_readable(run)}
    for mode, reverse in (("min", False), ("max", True)):
        (run / "config.yaml").write_text(f"training: {{mode: {mode}}}\n")
        assert average(run, tmp_path / mode, "--best", "2") == 0
        expected = sorted(sorted(scores, key=scores.get, reverse=reverse)[:2])
        assert store.open(tmp_path / mode).history["averaged"]["steps"] == expected


def test_averaged_weights_of_a_run_are_what_is_averaged(tmp_path):
    learner = Regression()
    fit(tmp_path / "run", learner, epochs=2, ema_decay=0.9, save=saver(learner))
    assert average(tmp_path / "run", tmp_path / "mean", "--last", "2") == 0
    parts = [c.read_state()["ema"]["average"]["net.0.weight"] for c in checkpoints.list_readable(tmp_path / "run")]
    found = store.open(tmp_path / "mean").weights()["0.weight"]
    assert torch.equal(found, ((parts[0].double() + parts[1].double()) / 2).float())


def test_what_cannot_be_averaged_is_told_and_nothing_is_overwritten(run, tmp_path, capsys):
    def refused(*words, told, run=run, target=tmp_path / "mean"):
        assert average(run, target, *words) == 2
        assert told in capsys.readouterr().err

    refused(told="either --last N or --best N")
    refused("--last", "2", "--best", "2", told="either --last N or --best N")
    refused("--last", "9", told="keeps 4 checkpoints, 9 are to be averaged")
    refused("--best", "9", told="--keep 9")
    refused("--last", "2", told="no such run folder", run=tmp_path / "nowhere")
    assert not (tmp_path / "mean").exists()
    before = (run / "onsei.json").read_bytes()
    refused("--last", "2", told="not empty", target=run)
    assert (run / "onsei.json").read_bytes() == before
    facts = json.loads(before)
    (run / "onsei.json").unlink()
    refused("--last", "2", told="has not finished")
    (run / "onsei.json").write_text(json.dumps(facts))
    store.save(run, system="toys", stage="train", config={}, weights={"0.weight": torch.zeros(3)})
    refused("--last", "2", told="does not hold the model's 0.weight")
