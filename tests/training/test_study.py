"""Searches: resumed, shared by processes, and going on where one of them is killed."""

import os
import signal
from dataclasses import replace

import optuna
import pytest

from onsei.errors import ConfigError, RunError
from onsei.training.study import PrunedError, Search, opened, searched


def parabola(payload):
    """An objective with its best place at 2; written here so that other processes can import it."""

    def tried(trial):
        mark = payload.get("kill")
        if mark and not os.path.exists(mark):
            open(mark, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        x = trial.suggest_float("x", -4, 4)
        for epoch in range(1, 4):
            trial.report(-((x - 2) ** 2), epoch)
            if payload.get("prune") and trial.should_prune():
                raise PrunedError
        return -((x - 2) ** 2)

    return tried


def failing(payload):
    def tried(trial):
        raise PrunedError

    return tried


@pytest.fixture
def search(tmp_path):
    return Search(tmp_path / "a" / "study.db", "it", 12, f"{__name__}:parabola", {}, {"epochs": 3}, seed=1)


def test_the_best_is_found_and_resuming_counts_what_was_tried(search):
    first = searched(search)
    assert first.complete == 12
    assert abs(first.params["x"] - 2) < 1.5
    again = searched(replace(search, trials=14))
    assert (again.complete, again.value >= first.value) == (14, True)
    assert searched(replace(search, trials=5)).complete == 14


def test_trials_worse_than_the_median_are_ended(search):
    found = searched(replace(search, trials=12, payload={"prune": True}))
    assert found.pruned > 0
    assert found.complete + found.pruned == 12


def test_a_killed_process_is_replaced_and_its_trial_tried_again(search, tmp_path):
    found = searched(replace(search, trials=4, workers=2, payload={"kill": str(tmp_path / "killed")}))
    assert (tmp_path / "killed").exists()
    assert found.complete >= 4


@pytest.mark.filterwarnings("ignore:Heartbeat")
def test_a_trial_left_by_a_dead_process_does_not_block(search):
    study = opened(search)
    study.ask()  # and never told: as after a power failure
    assert searched(replace(search, trials=3)).complete == 3
    assert optuna.trial.TrialState.COMPLETE in [trial.state for trial in opened(search).trials]


def test_trials_that_cannot_be_compared_are_refused(search):
    searched(replace(search, trials=1))
    with pytest.raises(ConfigError, match="epochs"):
        searched(replace(search, comparable={"epochs": 4}))


def test_a_search_without_a_whole_trial_says_so(search):
    with pytest.raises(RunError, match="no trial came through"):
        searched(replace(search, trials=2, objective=f"{__name__}:failing"))
