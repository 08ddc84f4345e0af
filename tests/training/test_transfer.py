"""Fine-tuning: the weights of another training and nothing else of it; labels keep their rows."""

import json

import pytest
import torch
from torch import nn

from onsei.errors import ModelError, RunError
from onsei.hub import store
from onsei.training import checkpoint as checkpoints
from onsei.training.transfer import Origin, model_tensors, open_origin, take
from tests.training.toys import Regression, fit, metrics, weights


class Speller(Regression):
    """Its last layer has a row and a bias for each label."""

    def __init__(self, labels, **more):
        super().__init__(**more)
        self.labels = tuple(labels)
        torch.manual_seed(len(labels))
        self.modules = {"net": nn.Sequential(self.modules["net"][0], nn.Tanh(), nn.Linear(8, len(labels)))}
        self.optimizers = {"net": torch.optim.AdamW(self.modules["net"].parameters(), lr=0.01)}

    @property
    def label_rows(self):
        return {"net.2.weight", "net.2.bias"}

    def state_dict(self):
        return {**super().state_dict(), "labels": list(self.labels)}


def saver(learner, labels=()):
    """What writes the model folder at a run's end."""

    def save(folder, history):
        tensors = learner.modules["net"].state_dict()
        store.save(folder, system="toys", stage="train", config={}, weights=tensors, labels=labels, history=history)

    return save


def last(history):
    """A ``save`` that keeps the history."""
    return lambda folder, found: history.update(found)


@pytest.fixture(name="trained")
def fixture_trained(tmp_path):
    """A finished run with its model, and its Learner."""
    learner = Regression(norm=True)
    fit(tmp_path / "old", learner, epochs=2, keep=9, save=saver(learner))
    return tmp_path / "old", learner


def test_finetuning_takes_the_weights_and_nothing_else(trained, tmp_path, capsys):
    folder, old = trained
    history = {}
    new = Regression(norm=True, lr=0.0)
    summary, _ = fit(
        tmp_path / "new", new, epochs=1, continue_from=str(folder), finetune=True, val=None, save=last(history)
    )
    for name in ("0.weight", "0.bias", "4.weight"):
        assert torch.equal(new.modules["net"].state_dict()[name], old.modules["net"].state_dict()[name])
    assert (summary.steps, summary.epochs) == (7, 1)
    assert [row["step"] for row in metrics(tmp_path / "new")] == list(range(1, 8))
    state = checkpoints.list_readable(tmp_path / "new")[-1].read_state()
    assert {int(s["step"]) for s in state["optimizers"]["net"]["state"].values()} == {7}  # counted from 0
    assert new.state["seen"] == 26  # the Learner's own state is this run's
    assert history["finetuned_from"] == str(folder)
    assert "optimizer, epochs and metrics begin anew" in capsys.readouterr().err


def test_the_first_validation_is_that_of_the_weights_taken(tmp_path):
    learner = Regression()
    old, _ = fit(tmp_path / "old", learner, epochs=2, save=saver(learner))
    new, _ = fit(tmp_path / "new", Regression(lr=0.0), epochs=1, **tuned(tmp_path / "old"), ema_decay=0.5)
    assert new.best == pytest.approx(old.best)


def tuned(source):
    return {"continue_from": str(source), "finetune": True}


def test_a_finetuned_run_resumes_as_itself(trained, tmp_path):
    """Its own configuration must not take the first weights again."""
    folder, _ = trained
    fit(tmp_path / "straight", Regression(norm=True), epochs=2, **tuned(folder))
    fit(tmp_path / "halves", Regression(norm=True), epochs=2, max_steps=9, **tuned(folder))
    history = {}
    fit(
        tmp_path / "halves", Regression(norm=True), epochs=2, continue_from=str(tmp_path / "halves"), save=last(history)
    )
    assert metrics(tmp_path / "halves")[-1] == metrics(tmp_path / "straight")[-1]
    assert history["finetuned_from"] == str(folder)


def test_an_unfinished_run_gives_its_best_weights_with_their_averages(tmp_path):
    fit(tmp_path / "old", Regression(norm=True), epochs=3, keep=9, mode="max", ema_decay=0.9)  # no model is written
    (tmp_path / "old" / "config.yaml").write_text("training: {mode: max}\n")
    origin = open_origin(str(tmp_path / "old"))
    first = checkpoints.list_readable(tmp_path / "old")[0]
    assert str(first.path) in origin.place
    average = first.read_state()["ema"]["average"]
    assert torch.equal(origin.tensors["net.0.weight"], average["net.0.weight"])
    assert torch.equal(origin.tensors["net.1.running_mean"], average["net.1.running_mean"])
    newest = checkpoints.list_readable(tmp_path / "old")[-1]
    assert str(newest.path) in open_origin(str(newest.path)).place


def test_statistics_are_the_mean_over_the_processes():
    state = {
        "modules": {"net": {"running_mean": torch.zeros(1), "weight": torch.ones(1)}},
        "statistics": [{"net.running_mean": torch.tensor([1.0])}, {"net.running_mean": torch.tensor([3.0])}],
        "ema": None,
    }
    assert model_tensors(state) == {"net.running_mean": torch.tensor([2.0]), "net.weight": torch.tensor([1.0])}


def test_rows_go_by_label_and_new_labels_stay_fresh(tmp_path, capsys):
    old = Speller("_abc")
    fit(tmp_path / "old", old, epochs=1, keep=9, save=saver(old, "_abc"))
    fresh, new = Speller("_cxa"), Speller("_cxa")
    for source in (tmp_path / "old", checkpoints.list_folders(tmp_path / "old")[-1]):
        notes = take(new, open_origin(str(source)))
        for name in ("2.weight", "2.bias"):
            ours, theirs, start = (x.modules["net"].state_dict()[name] for x in (new, old, fresh))
            assert torch.equal(ours[[0, 1, 3]], theirs[[0, 3, 1]])
            assert torch.equal(ours[2], start[2])
        assert torch.equal(new.modules["net"][0].weight, old.modules["net"][0].weight)
        assert notes[-1] == "3 of 4 labels kept, new: 'x', dropped: 'b'"


def test_the_same_labels_in_another_order_are_not_the_same_rows():
    old, new = Speller("_ab"), Speller("_ba")
    take(new, Origin("there", weights(old), tuple("_ab")))
    assert torch.equal(new.modules["net"][2].weight, old.modules["net"][2].weight[[0, 2, 1]])


@pytest.mark.parametrize("labels", ["_abc", "_ab"])
def test_other_differences_of_shape_are_an_error_that_names_them_and_copies_nothing(labels):
    new, before = Speller(labels), weights(Speller(labels))
    other = Origin("there", weights(Speller("_abc", width=9)), tuple("_abc"))
    with pytest.raises(RunError, match=r"there: made by another network: net.0.weight has shape \(8, 4\)") as caught:
        take(new, other)
    assert "net.0.bias" in caught.value.message
    assert "without a recipe's name" in caught.value.mend
    assert all(torch.equal(value, weights(new)[name]) for name, value in before.items())


def test_labels_without_rows_of_their_own_are_a_difference_of_shape():
    """A network that does not say which rows stand for labels cannot take others."""
    new = Regression()
    with pytest.raises(RunError, match="is only in the checkpoint"):
        take(new, Origin("there", weights(Speller("_ab")), tuple("_ab")))


def test_a_file_is_told_how_to_be_imported(tmp_path):
    file = tmp_path / "deepspeech.pth"
    file.write_bytes(b"PK\x03\x04")
    for options in ({"continue_from": str(file)}, tuned(file)):
        with pytest.raises(RunError, match="a file; expected a run folder") as caught:
            fit(tmp_path / "run", **options)
        assert f"import {file} --output-dir DIR" in caught.value.mend
        assert "--finetune" in caught.value.mend


def test_what_finetuning_lacks_is_told(tmp_path, trained):
    with pytest.raises(RunError, match="from which weights") as caught:
        fit(tmp_path / "new", finetune=True)
    assert "--continue-from" in caught.value.mend
    with pytest.raises(ModelError, match="no such model folder"):
        fit(tmp_path / "new", **tuned(tmp_path / "nowhere" / "at-all"))
    folder, _ = trained
    with pytest.raises(RunError, match="already holds a run"):
        fit(folder, **tuned(folder))
    with pytest.raises(RunError, match="another network"):
        fit(tmp_path / "new", Regression(width=3), **tuned(folder))


def test_a_model_without_its_run_lends_its_weights_only(tmp_path, trained):
    folder, _ = trained
    alone = tmp_path / "model"
    alone.mkdir()
    for name in ("onsei.json", "model.safetensors"):
        (alone / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(RunError, match="expected a run folder") as caught:
        fit(tmp_path / "new", continue_from=str(alone))
    assert "add --finetune" in caught.value.mend
    fit(tmp_path / "new", Regression(norm=True), epochs=1, **tuned(alone))
    assert json.loads((tmp_path / "new" / "metrics.jsonl").read_text().splitlines()[0])["step"] == 1


def test_companions_begin_anew_where_a_model_lacks_them_and_come_along_where_a_checkpoint_has_them():
    from onsei.training.transfer import Origin, take
    from tests.training.toys import Gan

    learner = Gan()
    learner.companions = ("critic", "unused")
    source = Gan()
    with torch.no_grad():
        for module in source.modules.values():
            for parameter in module.parameters():
                parameter.add_(1)
    alone = {f"generator.{name}": tensor for name, tensor in source.generator.state_dict().items()}
    before = [p.clone() for p in learner.critic.parameters()]
    notes = take(learner, Origin("model x", alone))
    assert [note for note in notes if "begins anew" in note] == [
        "critic begins anew: a model holds none",
        "unused begins anew: a model holds none",
    ]
    assert all(torch.equal(a, b) for a, b in zip(before, learner.critic.parameters(), strict=True))
    assert torch.equal(learner.generator[0].weight, source.generator[0].weight)
    whole = {f"{n}.{key}": t for n, module in source.modules.items() for key, t in module.state_dict().items()}
    assert len(take(learner, Origin("checkpoint x", whole))) == 1
    assert torch.equal(learner.critic[0].weight, source.critic[0].weight)
