"""Two processes do what one does: the same steps, no row twice, the same verdicts. One launch runs all scenarios."""

import json
import os
import subprocess
import sys

import pytest
import torch

from onsei.errors import RunError
from onsei.training import checkpoint as checkpoints
from onsei.training.processes import Processes
from tests.training.toys import LEARNERS, ROOT, Source, fit, metrics

PLAIN = {"epochs": 2, "max_norm": 5.0, "ema_decay": 0.9}
SCENARIOS = {
    "regression": {},
    "gan": {"learner": "gan"},
    "uneven": {"source": {"rows": 17}},  # five batches: the second process has none in the last window
    "empty": {"source": {"empty": [1]}},
    "poison": {"source": {"poison": [3]}},
    "unequal": {"source": {"rows": 7, "batch_size": 5}},  # sizes 5 and 2
    "norm": {"learner": "norm", "source": {"rows": 8}},  # one window of two batches
}


@pytest.fixture(name="pair", scope="module")
def fixture_pair(tmp_path_factory):
    """The folder of all scenarios, run by two processes as a user would launch them."""
    folder = tmp_path_factory.mktemp("pair")
    jobs = [{**job, "output_dir": str(folder / name), "training": PLAIN} for name, job in SCENARIOS.items()]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    torn = {"learner": "norm", "output_dir": str(folder / "torn")}
    jobs += [
        {**torn, "training": {**PLAIN, "max_steps": 5}},
        {**torn, "training": {**PLAIN, "continue_from": torn["output_dir"]}},
        {**torn, "training": PLAIN, "output_dir": str(folder / "straight")},
        {**torn, "training": {"epochs": 1}, "source": {"rows": 8}, "output_dir": str(folder / "once")},
    ]
    command = [*launch, "-m", "tests.training.toys", json.dumps(jobs)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    return folder


def alone(folder, name):
    job = SCENARIOS[name]
    source = {k: tuple(v) if isinstance(v, list) else v for k, v in job.get("source", {}).items()}
    return fit(folder, LEARNERS[job.get("learner", "regression")](), Source(**source), accumulate=2, **PLAIN)


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "norm"])
def test_two_processes_equal_one_that_accumulates_two_batches(pair, tmp_path, name):
    summary, learner = alone(tmp_path, name)
    found = torch.load(pair / name / "weights.pt", weights_only=True)
    for key, value in ((f"{n}.{k}", v) for n, m in learner.modules.items() for k, v in m.state_dict().items()):
        torch.testing.assert_close(found[key], value, atol=1e-5, rtol=0)
    expected, rows = metrics(tmp_path), metrics(pair / name)
    assert len(rows) == len(expected) > summary.steps
    for one, two in zip(expected, rows, strict=True):
        assert {k: v for k, v in one.items() if v is None} == {k: v for k, v in two.items() if v is None}
        finite = {k: v for k, v in one.items() if v is not None}
        assert finite == pytest.approx({k: v for k, v in two.items() if v is not None}, abs=1e-5, rel=1e-5)


def test_a_skip_is_agreed_by_all_processes(pair):
    rows = [row for row in metrics(pair / "poison") if "train/loss" in row]
    assert [row["skipped"] for row in rows] == [0, 1, 1, 1, 1, 2, 2, 2]
    assert rows[1]["train/loss"] is None


def test_rows_that_any_process_could_not_use_are_quarantined_once(pair):
    ids = [json.loads(line)["id"] for line in (pair / "empty" / "quarantine.jsonl").read_text().splitlines()]
    assert len(ids) == len(set(ids)) >= 4


def test_saved_statistics_are_the_mean_over_the_processes(pair):
    means = []
    for rank in range(2):
        one = LEARNERS["norm"]()
        batch = next(Source(rows=8).batches(0, rank=rank, world=2))
        one.modules["net"](batch.x)
        means.append(one.modules["net"][1].running_mean)
    assert not torch.allclose(means[0], means[1], atol=1e-3)  # so there is something to average
    parts = checkpoints.list_readable(pair / "norm")[0].read_state()["statistics"]
    for part, mean in zip(parts, means, strict=True):  # in training each goes on with its own
        torch.testing.assert_close(part["net.1.running_mean"], mean)
    saved = torch.load(pair / "once" / "weights.pt", weights_only=True)["net.1.running_mean"]
    torch.testing.assert_close(saved, (means[0] + means[1]) / 2)


def test_a_resume_on_two_processes_equals_the_straight_run_bit_for_bit(pair):
    """The run stopped in mid-epoch, where each process has running statistics of its own, and validated there."""
    straight, torn = (metrics(pair / name) for name in ("straight", "torn"))
    assert [row for row in torn if row["step"] != 5] == [row for row in straight if row["step"] != 5]
    expected, found = (torch.load(pair / name / "weights.pt", weights_only=True) for name in ("straight", "torn"))
    assert all(torch.equal(expected[key], found[key]) for key in expected)


def test_another_number_of_processes_goes_on_with_the_same_batches(pair, tmp_path, capsys):
    source = Source()
    summary, _ = fit(
        tmp_path, LEARNERS["regression"](), source, **{**PLAIN, "epochs": 3}, continue_from=str(pair / "regression")
    )
    assert summary.steps == 8 + 7
    assert [epoch for epoch, _ in source.seen] == [2] * 7
    assert "processes: 2 → 1" in capsys.readouterr().err.replace("\n", "")


def test_alone_every_agreement_is_a_matter_of_course():
    processes = Processes("cpu")
    value = torch.ones(2)
    processes.add(value)
    assert value.tolist() == [1, 1]
    assert processes.gather("x") == ["x"]
    assert processes.main
    assert processes.from_first(lambda: 3) == 3
    with pytest.raises(RunError, match="no"):
        processes.from_first(lambda: (_ for _ in ()).throw(RunError("no")))


def test_a_process_that_does_not_find_the_others_does_not_train_alone(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr("onsei.training.processes.Accelerator", lambda **_: type("Alone", (), {"num_processes": 1})())
    with pytest.raises(RunError, match="2 processes were launched, but this one knows of 1"):
        Processes("cpu")
