"""The search for options of grounding.

What is searched for is recall in a gallery of fixed size. A loss would not do: its chance level is the logarithm of the
batch size, which is one of the things that are searched.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from onsei.config import from_dict, to_dict
from onsei.paths import write_text
from onsei.systems.translation.config.ground import Ground
from onsei.systems.translation.ground.data import Batch
from onsei.systems.translation.ground.learner import Grounding
from onsei.systems.translation.ground.params import FILE, with_params
from onsei.systems.translation.ground.training import Material, fit, gathered, learner_of
from onsei.systems.translation.images import built
from onsei.training import study
from onsei.training.learner import Clock, Update

DATABASE = "optuna_study.db"
TRIALS = "trials"
"""Folder of the runs of trials; each is removed when it ends."""


def searched(options: Ground) -> Ground:
    """Search until as many trials have ended as asked for, write ``best_params.json``, and return the best options.

    Raises:
        RunError: no trial came through.
        ConfigError: the study in the file is of another search.
    """
    assert options.output_dir is not None
    options.output_dir.mkdir(parents=True, exist_ok=True)
    search = options.study
    best = study.searched(
        study.Search(
            storage=search.storage or options.output_dir / DATABASE,
            name=search.name,
            trials=search.trials,
            objective=f"{__name__}:objective",
            payload=to_dict(options),
            comparable={
                "epochs": search.trial_epochs,
                "gallery": options.data.gallery,
                "train_manifest": str(options.train_manifest),
                "val_manifest": str(options.val_manifest),
            },
            workers=search.workers,
            seed=search.sampler_seed,
        )
    )
    write_text(options.output_dir / FILE, json.dumps(dict(best.params), indent=1) + "\n")
    told = ", ".join(f"{name} {value}" for name, value in best.params.items())
    print(f"search: {best.complete} trials whole, {best.pruned} pruned; best recall {best.value:.1f} % with {told}")
    return with_params(options, best.params, FILE)


def objective(payload: Mapping[str, Any]) -> Callable[[study.Trial], float]:
    """What a trial is worth: recall after its training, in percent."""
    options = from_dict(Ground, payload, "search")
    material = gathered(options, quiet=True)
    return lambda trial: _tried(options, material, trial)


class _Watched(Grounding):
    """Tells a trial how it stands after each epoch, and ends it where others were better by then."""

    def __init__(self, learner: Grounding, trial: study.Trial) -> None:
        self.modules, self.optimizers = learner.modules, learner.optimizers
        self.options, self.transform, self.seen = learner.options, learner.transform, 0
        self._trial, self._epoch = trial, 0
        self._sums = (0.0, 0.0)

    def step(self, batch: Batch, clock: Clock, update: Update) -> Mapping[str, Tensor]:
        """As of ``Grounding``; before the first step of an epoch the trial is told how the last one ended."""
        if clock.epoch > self._epoch:
            self._epoch = clock.epoch
            total, count = self._sums
            self._trial.report(total / max(count, 1.0), clock.epoch)
            if self._trial.should_prune():
                raise study.PrunedError
        self._sums = (0.0, 0.0)
        return super().step(batch, clock, update)

    def check(self, batch: Batch, clock: Clock) -> Mapping[str, Tensor]:
        """As of ``Grounding``; recall is remembered."""
        values = super().check(batch, clock)
        total, count = values["recall"].tolist()
        self._sums = (self._sums[0] + total, self._sums[1] + count)
        return values


def _tried(options: Ground, material: Material, trial: study.Trial) -> float:
    search = options.study
    assert options.output_dir is not None
    params = {
        "learning_rate": trial.suggest_float("learning_rate", *search.learning_rates, log=True),
        "embedding_dim": trial.suggest_categorical("embedding_dim", search.embedding_dims),
        "batch_size": trial.suggest_categorical("batch_size", search.batch_sizes),
        "width": trial.suggest_categorical("width", search.widths),
    }
    folder = options.output_dir / TRIALS / f"{search.name}-{trial.number:04}"
    shutil.rmtree(folder, ignore_errors=True)
    clock = replace(
        options.training,
        epochs=search.trial_epochs, silent=True, keep=1, continue_from="", tracker=(), estimate_memory=False,
    )  # fmt: skip
    tried = replace(with_params(options, params, "trial"), training=clock, output_dir=folder)
    try:
        seeing = built(tried.image, tried.embedding_dim)
        learner = _Watched(learner_of(tried, material, seeing), trial)
        summary = fit(tried, material, learner, keep=False)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0.0 if summary.best is None else summary.best
