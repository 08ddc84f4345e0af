"""The benchmark says what fits and how fast it goes, and never drives the machine out of memory to find out."""

import json
from pathlib import Path

import pytest
import torch

from onsei.cli import _recipe
from onsei.systems.recognition import benchmark as room
from onsei.systems.recognition.benchmark import Bench, Trial, largest
from onsei.systems.recognition.config import Benchmark
from onsei.training.peak import free_bytes, peak_bytes
from tests.commands import assert_refused
from tests.recognition.corpus import command

QUICK = ("--seconds", "0.5", "--runs", "2", "--dry-runs", "1", "--device", "cpu", "--silent", "--threads", "1")
RECIPES = Path(room.__file__).parent / "recipes"


def test_the_numbers_of_a_batch(recipe, tmp_path, capsys):
    answer = command(capsys, "benchmark", recipe, "--batch-size", 3, *QUICK, "--json", tmp_path / "n.json")
    assert answer.status == 0
    found = json.loads((tmp_path / "n.json").read_text(encoding="utf-8"))
    assert (found["batch_size"], found["fits"], found["device"], found["runs"]) == (3, True, "cpu", 2)
    parts = [found[f"{name}_seconds"] for name in ("forward", "backward", "step")]
    assert all(part > 0 for part in parts)
    assert sum(parts) == pytest.approx(found["run_seconds"], rel=0.5)
    assert found["utterances_per_second"] == pytest.approx(3 / found["run_seconds"])
    assert found["audio_seconds_per_second"] == pytest.approx(0.5 * 3 / found["run_seconds"])
    assert "batch of 3 fits" in answer.out


def test_a_run_takes_in_all_samples(recipe, tmp_path, capsys, monkeypatch):
    seen = []
    monkeypatch.setattr(Bench, "step", lambda self, batch: seen.append(batch.size) or (1.0, 2.0, 1.0))
    words = ("--batch-size", 2, "--num-samples", 5, *QUICK, "--json", tmp_path / "n.json")
    assert command(capsys, "benchmark", recipe, *words).status == 0
    assert seen == [2] * 3 * 3
    assert json.loads((tmp_path / "n.json").read_text(encoding="utf-8"))["run_seconds"] == 12.0


def test_without_a_size_the_largest_is_found(recipe, capsys):
    answer = command(capsys, "benchmark", recipe, "--num-samples", 4, *QUICK)
    assert answer.status == 0
    assert "batch of 4 fits" in answer.out


def test_a_batch_that_would_fill_the_memory_is_not_tried(recipe, capsys, monkeypatch):
    monkeypatch.setattr(room, "free_bytes", lambda device: 1000)
    monkeypatch.setattr(Bench, "step", lambda self, batch: pytest.fail("it was tried"))
    for words in (("--batch-size", 64), ()):
        answer = command(capsys, "benchmark", recipe, *words, *QUICK)
        assert answer.status == 1
        assert "does not fit" in answer.out


def test_a_full_gpu_is_an_answer(recipe, capsys, monkeypatch):
    def full(self, batch):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Bench, "step", full)
    answer = command(capsys, "benchmark", recipe, "--batch-size", 2, *QUICK)
    assert (answer.status, "does not fit" in answer.out) == (1, True)


@pytest.mark.parametrize("slope", [1, 7, 30])
@pytest.mark.parametrize("free", [5, 40, 1000, 4097])
@pytest.mark.parametrize("honest", [True, False])
def test_the_search_finds_the_largest_and_tries_nothing_larger(slope, free, honest):
    """A size needs ``10 + slope * size`` of ``free``; estimates too low by half are set right by measuring."""
    tried = []

    def attempt(size):
        tried.append(size)
        need = 10 + slope * size
        return Trial(size, fits=need <= free, peak_bytes=need if need <= free else 0)

    part = 1.0 if honest else 0.5
    found = largest(attempt, lambda size: int(part * (10 + slope * size)), free, 300, lambda line: None)
    true = max([size for size in range(301) if 10 + slope * size <= free], default=0)
    assert found <= true
    assert found >= (true if honest else true - max(1, true // 20))
    assert not honest or all(10 + slope * size <= free for size in tried)
    assert len(tried) < 30


@pytest.mark.parametrize("recipe", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_can_be_measured(recipe):
    options, _ = _recipe(Benchmark, [recipe.stem], "recognition")
    assert options.batch_size is None
    assert options.seconds == 15.0


def test_precomputed_features_need_their_width(recipe, capsys):
    assert_refused(command(capsys, "benchmark", recipe, "--kind", "precomputed", *QUICK), "--bins")
    assert (
        command(capsys, "benchmark", recipe, "--kind", "precomputed", "--bins", 20, "--batch-size", 2, *QUICK).status
        == 0
    )


def test_the_peak_of_what_runs_is_seen():
    with peak_bytes(torch.device("cpu")) as peak:
        held = torch.ones(30_000_000)
        for _ in range(10_000):  # until it was looked at, which busy cores delay
            if peak() > 100e6:
                break
            held.sum()
        del held
    assert peak() > 100e6
    assert free_bytes(torch.device("cpu")) > 0
