"""A run that was broken off goes on as if it never was, or says why not."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
import torch

from onsei.errors import ModelError, RunError
from onsei.training import checkpoint as checkpoints
from tests.training.toys import LEARNERS, ROOT, Gan, Regression, Source, fit, metrics, weights

OPTIONS = {"epochs": 3, "ema_decay": 0.9, "schedule": "cosine", "warmup_steps": 3, "checkpoint_per_batch": 3}


class Asking(Regression):
    """Asks its own process to stop, in the step ``at``."""

    def __init__(self, number, at, **more):
        super().__init__(**more)
        self.number, self.at = number, at

    def step(self, batch, clock, update):
        if clock.step == self.at:
            os.kill(os.getpid(), self.number)
        return super().step(batch, clock, update)


@pytest.fixture(name="torn", scope="module")
def fixture_torn(tmp_path_factory):
    """Per learner a straight run, and one that was killed in mid-epoch in a process of its own and continued here."""
    folder = tmp_path_factory.mktemp("torn")
    jobs = [{"learner": n, "output_dir": str(folder / f"{n}-torn"), "training": OPTIONS, "die_at": 11} for n in TORN]
    command = [sys.executable, "-m", "tests.training.toys", json.dumps(jobs)]
    killed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert killed.returncode == 0, killed.stderr
    return folder


TORN = ("dropout", "gan")


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
@pytest.mark.parametrize("name", TORN)
def test_a_run_killed_in_mid_epoch_and_continued_equals_the_straight_run_bit_for_bit(torn, name):
    straight, again = torn / f"{name}-straight", torn / f"{name}-torn"
    assert checkpoints.list_readable(again)[-1].standing.batch == 3
    assert metrics(again)[-1]["step"] == 11  # beyond the checkpoint at step 10
    assert not (again / "weights.pt").exists()
    _, expected = fit(straight, LEARNERS[name](), **OPTIONS)
    _, found = fit(again, LEARNERS[name](), **OPTIONS, continue_from=str(again))
    assert metrics(straight) == metrics(again)
    assert all(torch.equal(value, weights(found)[key]) for key, value in weights(expected).items())
    old, new = (checkpoints.list_readable(folder)[-1].read_state() for folder in (straight, again))
    for part in ("ema", "learner", "optimizers", "rates"):
        assert flat(old[part]) == flat(new[part])
    assert old["ema"]["updates"] == 21


def flat(state):
    if isinstance(state, torch.Tensor):
        return state.tolist()
    if isinstance(state, dict):
        return {key: flat(value) for key, value in state.items()}
    return [flat(value) for value in state] if isinstance(state, (list, tuple)) else state


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_request_to_stop_saves_and_says_how_to_go_on(tmp_path, capsys, number, status):
    _, straight = fit(tmp_path / "straight", Regression(dropout=0.2), epochs=2)
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as caught:
        fit(tmp_path / "run", Asking(number, at=9, dropout=0.2), epochs=2)
    assert caught.value.code == status
    assert signal.getsignal(number) == before
    assert f"saved at step 10; go on with --continue-from {tmp_path / 'run'}" in capsys.readouterr().err.replace(
        "\n", ""
    )
    summary, learner = fit(tmp_path / "run", Regression(dropout=0.2), epochs=2, continue_from=str(tmp_path / "run"))
    assert summary.steps == 14
    assert metrics(tmp_path / "run") == metrics(tmp_path / "straight")
    assert all(torch.equal(value, weights(straight)[name]) for name, value in weights(learner).items())


def test_a_request_to_stop_during_validation_repeats_the_validation(tmp_path):
    class Impatient(Regression):
        def check(self, batch, clock):
            if clock.step == 7:
                os.kill(os.getpid(), signal.SIGTERM)
            return super().check(batch, clock)

    fit(tmp_path / "straight", epochs=2)
    with pytest.raises(SystemExit):
        fit(tmp_path / "run", Impatient(), epochs=2)
    assert not any("val/loss" in row for row in metrics(tmp_path / "run"))
    fit(tmp_path / "run", epochs=2, continue_from=str(tmp_path / "run"))
    assert metrics(tmp_path / "run") == metrics(tmp_path / "straight")


def stop_at(folder, step, learner=None, **options):
    """A run that stops before step ``step`` is done, as by a deadline."""
    learner = learner or Asking(signal.SIGTERM, at=step - 1)
    with pytest.raises(SystemExit):
        fit(folder, learner, **{"epochs": 3, **options})
    return folder


def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before_aloud(tmp_path, capsys):
    fit(tmp_path / "straight", epochs=3)
    run = stop_at(tmp_path / "run", 18)
    tensors = checkpoints.list_folders(run)[-1] / checkpoints.TENSORS
    content = bytearray(tensors.read_bytes())
    content[-3] ^= 1  # one bit of one weight
    tensors.write_bytes(content)
    fit(run, epochs=3, continue_from=str(run))
    told = capsys.readouterr().err.replace("\n", "")
    assert "step-00000018: not a whole checkpoint" in told
    assert "going on from" in told
    assert metrics(run) == metrics(tmp_path / "straight")


@pytest.mark.parametrize("damage", ["header", "no header", "no tensors", "short"])
def test_every_kind_of_damage_is_seen(tmp_path, damage):
    run = stop_at(tmp_path, 3)
    folder = checkpoints.list_folders(run)[-1]
    header, tensors = folder / checkpoints.HEADER, folder / checkpoints.TENSORS
    {
        "header": lambda: header.write_text("{"),
        "no header": header.unlink,
        "no tensors": tensors.unlink,
        "short": lambda: tensors.write_bytes(tensors.read_bytes()[:-8]),
    }[damage]()
    with pytest.raises(RunError, match="all 1 checkpoints are damaged"):
        fit(run, epochs=3, continue_from=str(run))
    with pytest.raises(ModelError, match="not a whole checkpoint"):
        fit(run, epochs=3, continue_from=str(folder))


def test_a_folder_that_holds_a_run_is_refused(tmp_path):
    fit(tmp_path, epochs=1)
    before = (tmp_path / "metrics.jsonl").read_bytes()
    with pytest.raises(RunError, match="already holds a run") as caught:
        fit(tmp_path, epochs=1)
    assert f"--continue-from {tmp_path}" in caught.value.mend
    assert "--output-dir" in caught.value.mend
    assert (tmp_path / "metrics.jsonl").read_bytes() == before


def test_a_folder_that_holds_a_model_is_refused(tmp_path):
    (tmp_path / "onsei.json").write_text("{}")
    with pytest.raises(RunError, match=r"onsei\.json"):
        fit(tmp_path)


def test_a_run_that_failed_before_its_first_step_may_be_started_again(tmp_path):
    with pytest.raises(RunError, match="out of memory"):
        fit(tmp_path, Failing("DefaultCPUAllocator: can't allocate memory"), epochs=1)
    assert fit(tmp_path, epochs=1)[0].steps == 7


class Failing(Regression):
    def __init__(self, message):
        super().__init__()
        self.message = message

    def step(self, batch, clock, update):
        raise RuntimeError(self.message)


def test_continuing_what_is_no_run_is_an_error(tmp_path):
    with pytest.raises(RunError, match="found nothing"):
        fit(tmp_path / "run", continue_from=str(tmp_path / "missing"))
    (tmp_path / "other").mkdir()
    with pytest.raises(RunError, match="found neither"):
        fit(tmp_path / "run", continue_from=str(tmp_path / "other"))


def test_a_run_killed_before_its_first_checkpoint_starts_over_when_continued(tmp_path, capsys):
    fit(tmp_path / "straight", epochs=1)
    run = stop_at(tmp_path / "run", 3, epochs=1)
    shutil.rmtree(run / checkpoints.FOLDER)
    fit(run, epochs=1, continue_from=str(run))
    assert "has no checkpoint yet" in capsys.readouterr().err.replace("\n", "")
    assert metrics(run) == metrics(tmp_path / "straight")


def test_continuing_one_checkpoint_into_another_folder_keeps_the_curve_whole(tmp_path):
    fit(tmp_path / "run", epochs=3, keep=9)
    first = checkpoints.list_folders(tmp_path / "run")[0]
    before = (tmp_path / "run" / "metrics.jsonl").read_bytes()
    fit(tmp_path / "branch", epochs=3, continue_from=str(first))
    assert metrics(tmp_path / "branch") == metrics(tmp_path / "run")
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == before


def test_going_back_in_a_run_that_has_gone_on_is_refused(tmp_path):
    fit(tmp_path, epochs=3, keep=9)
    with pytest.raises(RunError, match="has gone on since, to step-00000021"):
        fit(tmp_path, epochs=3, continue_from=str(checkpoints.list_folders(tmp_path)[0]))
    assert len(checkpoints.list_folders(tmp_path)) == 3


def test_another_batch_size_in_mid_epoch_is_refused_with_old_and_new_value(tmp_path):
    run = stop_at(tmp_path, 10)
    with pytest.raises(RunError, match=r"mid-epoch 2.*batch_size: 4 → 5") as caught:
        fit(run, train=Source(batch_size=5), epochs=3, continue_from=str(run))
    assert "--batch-size 4" in caught.value.mend
    assert "step-00000007" in caught.value.mend


def test_another_batch_size_between_epochs_goes_on_aloud(tmp_path, capsys):
    fit(tmp_path, epochs=1)
    summary, _ = fit(tmp_path, train=Source(batch_size=13), epochs=2, continue_from=str(tmp_path))
    assert summary.steps == 7 + 2
    assert "batch_size: 4 → 13" in capsys.readouterr().err.replace("\n", "")


def test_a_checkpoint_of_another_network_is_one_clear_error(tmp_path):
    fit(tmp_path, epochs=1)
    with pytest.raises(RunError, match=r"net.0.weight has shape \(16, 4\), in the checkpoint \(8, 4\)"):
        fit(tmp_path, Regression(width=16), epochs=2, continue_from=str(tmp_path))
    with pytest.raises(RunError, match=r"Regression; this run trains .*Gan\).*net.0.weight is only in the checkpoint"):
        fit(tmp_path, Gan(), epochs=2, continue_from=str(tmp_path))


def test_a_checkpoint_with_another_optimizer_is_one_clear_error(tmp_path):
    class Split(Regression):
        def __init__(self):
            super().__init__()
            first, *rest = self.modules["net"].parameters()
            self.optimizers = {"net": torch.optim.AdamW([{"params": [first]}, {"params": rest}])}

    fit(tmp_path, epochs=1)
    with pytest.raises(RunError, match="made with other optimizers"):
        fit(tmp_path, Split(), epochs=2, continue_from=str(tmp_path))


def test_a_changed_learning_rate_is_taken_and_said_aloud(tmp_path, capsys):
    fit(tmp_path, epochs=1)
    fit(tmp_path, Regression(lr=0.002), epochs=2, continue_from=str(tmp_path))
    assert metrics(tmp_path)[-2]["lr/net"] == 0.002
    assert "net: lr 0.01 → 0.002" in capsys.readouterr().err.replace("\n", "")


def test_running_numbers_that_an_optimizer_keeps_among_its_settings_go_on(tmp_path):
    class Counting(torch.optim.SGD):
        def __init__(self, parameters, lr):
            super().__init__(parameters, lr=lr)
            for group in self.param_groups:
                group["k"] = 0

        def step(self, closure=None):
            for group in self.param_groups:
                group["k"] += 1
            return super().step(closure)

    def learner():
        made = Regression()
        made.optimizers = {"net": Counting(made.modules["net"].parameters(), lr=0.01)}
        return made

    fit(tmp_path, learner(), epochs=1)
    _, resumed = fit(tmp_path, learner(), epochs=2, continue_from=str(tmp_path))
    assert resumed.optimizers["net"].param_groups[0]["k"] == 14


def test_more_epochs_go_on_from_a_finished_run_and_a_finished_run_only_saves_again(tmp_path):
    fit(tmp_path, epochs=2)
    saved = []
    assert fit(tmp_path, epochs=2, continue_from=str(tmp_path), save=lambda *args: saved.append(args))[0].steps == 14
    assert len(saved) == 1
    assert fit(tmp_path, epochs=3, continue_from=str(tmp_path))[0].steps == 21


def test_early_stopping_counts_on_over_a_resume(tmp_path):
    with pytest.raises(SystemExit):
        fit(tmp_path, Asking(signal.SIGTERM, at=16, lr=0.0), epochs=9, patience=3)
    summary, _ = fit(tmp_path, Regression(lr=0.0), epochs=9, patience=3, continue_from=str(tmp_path))
    assert summary.epochs == 4


def test_averages_that_are_new_at_a_resume_start_from_its_weights(tmp_path, capsys):
    fit(tmp_path, epochs=1)
    trained = checkpoints.list_readable(tmp_path)[-1].read_state()["modules"]["net"]["0.weight"]
    _, learner = fit(tmp_path, Regression(lr=0.0), epochs=2, ema_decay=0.9, continue_from=str(tmp_path))
    assert "averages start here" in capsys.readouterr().err.replace("\n", "")
    torch.testing.assert_close(learner.modules["net"][0].weight.detach(), trained)


def test_the_written_configuration_is_that_of_a_new_run(tmp_path):
    from onsei.config import read_yaml
    from onsei.training.engine import Engine
    from onsei.training.options import Training

    resolved = {"training": {"continue_from": "somewhere", "epochs": 1}, "name": "音声"}
    Engine(Training(epochs=1, device="cpu", silent=True), tmp_path, resolved=resolved).fit(
        Regression(), Source(), None, lambda path, history: None
    )
    assert read_yaml(tmp_path / "config.yaml") == {"training": {"continue_from": "", "epochs": 1}, "name": "音声"}


def test_a_resume_knows_the_best_value_so_far(tmp_path):
    """Only a better one may take its place: the first epoch is best here, by mode max."""
    fit(tmp_path, epochs=2, mode="max")
    best = metrics(tmp_path)[7]["val/loss"]
    kept = {}
    summary, _ = fit(
        tmp_path, epochs=4, mode="max", continue_from=str(tmp_path), save=lambda folder, history: kept.update(history)
    )
    assert summary.best == best == kept["metrics"]["val/loss"]
    assert kept["best_step"] == 7
    assert [row["best"] for row in metrics(tmp_path) if "best" in row] == [True, False, False, False]
