"""A search for better options: a study in SQLite that is resumed, shared by processes, and survives their death.

The one door to Optuna. Trials are drawn by a tree-structured Parzen estimator (Bergstra et al. 2011); one that is worse
than the median of the others at the same epoch is ended.
"""

from __future__ import annotations

import multiprocessing
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import optuna

from onsei.errors import ConfigError, RunError

_BEAT, _GRACE = 5, 30
"""Seconds between signs of life of a trial, and without one until it counts as dead and is tried again."""
_RETRIES = 3
_STARTUP = 5
"""Trials drawn by chance before the search learns from them, and before any is ended."""


class Trial(Protocol):
    """One trial, as its maker sees it."""

    number: int

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """A number from ``low`` to ``high``."""
        ...

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """A whole number from ``low`` to ``high``."""
        ...

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """One of ``choices``."""
        ...

    def report(self, value: float, step: int) -> None:
        """How it stands after ``step`` epochs."""
        ...

    def should_prune(self) -> bool:
        """Whether others were better by then."""
        ...


@dataclass(frozen=True)
class Search:
    """What is searched for, where, and how long."""

    storage: Path
    """SQLite file."""
    name: str
    """Of the study in the file."""
    trials: int
    """That end, over all processes and resumes."""
    objective: str
    """``module:function`` that makes, of ``payload``, a function of a Trial whose value is to be large. It is made
    once in each process."""
    payload: Mapping[str, Any]
    """JSON values."""
    comparable: Mapping[str, Any]
    """What must be the same for all trials of the study, as JSON values."""
    workers: int = 1
    seed: int = 0


@dataclass(frozen=True)
class Best:
    """What came of a search."""

    params: Mapping[str, Any]
    value: float
    complete: int
    pruned: int


class PrunedError(optuna.TrialPruned):
    """Ends a trial that others are better than."""


def searched(search: Search) -> Best:
    """Search until as many trials have ended as asked for, those of earlier calls counted.

    Raises:
        RunError: no trial came through, or the processes die one after another.
        ConfigError: the study in the file is of another search.
    """
    study = opened(search)
    _check_same(study, search)
    with _quiet():
        optuna.storages.fail_stale_trials(study)
    if _ended(study) < search.trials:
        if search.workers > 1:
            _share(search, study)
        work(search)
    states = [trial.state for trial in study.get_trials(deepcopy=False)]
    complete, pruned = (states.count(s) for s in _DONE)
    if not complete:
        raise RunError(f"study {search.name!r}: no trial came through", "give more trials or epochs")
    return Best(dict(study.best_params), float(study.best_value), complete, pruned)


def opened(search: Search) -> optuna.Study:
    """The study, made where it is not there yet."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    search.storage.parent.mkdir(parents=True, exist_ok=True)
    with _quiet():
        storage = optuna.storages.RDBStorage(
            f"sqlite:///{search.storage.absolute()}",
            engine_kwargs={"connect_args": {"timeout": 60}},
            heartbeat_interval=_BEAT,
            grace_period=_GRACE,
            heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(max_retry=_RETRIES),
        )
    return optuna.create_study(
        study_name=search.name,
        storage=storage,
        sampler=optuna.samplers.TPESampler(seed=search.seed + _number(), n_startup_trials=_STARTUP),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_STARTUP - 1, n_warmup_steps=0),
        direction="maximize",
        load_if_exists=True,
    )


def work(search: Search) -> None:
    """Run trials, one after another, until enough have ended, counting those of other processes."""
    study = opened(search)
    if _ended(study) >= search.trials:
        return
    module, _, name = search.objective.partition(":")
    objective: Callable[[Any], float] = getattr(import_module(module), name)(search.payload)

    def told(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        ended = _ended(study)
        value = "" if trial.value is None else f", {trial.value:.2f}"
        print(f"trial {trial.number}: {trial.state.name.lower()}{value} ({ended} of {search.trials})", flush=True)
        if ended >= search.trials:
            study.stop()

    study.optimize(objective, callbacks=[told])


def _share(search: Search, study: optuna.Study) -> None:
    """Let several processes work on the study; where one dies, another takes its place."""
    context = multiprocessing.get_context("spawn")
    team = [_start(context, search) for _ in range(search.workers)]
    deaths = 0
    while any(worker.is_alive() for worker in team):
        for place, worker in enumerate(team):
            worker.join(timeout=0.2)
            if worker.exitcode in (None, 0) or _ended(study) >= search.trials:
                continue
            deaths += 1
            print(f"onsei: a process of the search died (code {worker.exitcode}); its trial will be tried again")
            if deaths > _RETRIES * search.workers:
                raise RunError("the processes of the search die one after another", "search with one worker")
            team[place] = _start(context, search)


def _start(context: Any, search: Search) -> Any:
    worker = context.Process(target=work, args=(search,))
    worker.start()
    return worker


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's warnings that signs of life are new."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def _ended(study: optuna.Study) -> int:
    return sum(trial.state in _DONE for trial in study.get_trials(deepcopy=False))


def _check_same(study: optuna.Study, search: Search) -> None:
    """Refuse to go on with a study whose trials cannot be compared with those to come."""
    known, here = study.user_attrs.get("comparable"), dict(search.comparable)
    if known is None:
        study.set_user_attr("comparable", here)
    elif known != here:
        changed = [name for name in here if known.get(name) != here[name]]
        raise ConfigError(
            f"study {search.name!r} in {search.storage}: made with another {', '.join(changed)}",
            "its trials cannot be compared: give another name or file",
        )


def _number() -> int:
    """Which of the processes that share a study this is, from 1; 0 alone: they must not draw the same trials."""
    identity: tuple[int, ...] = getattr(multiprocessing.current_process(), "_identity", ())
    return identity[0] if identity else 0


_DONE = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
