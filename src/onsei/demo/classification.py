"""The demo's chapter on classification: from made sounds to a measured classifier, to see and to hear."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from onsei.config import from_recipe
from onsei.data.manifest import Manifest
from onsei.demo.control import untrained
from onsei.demo.noises import Sounds, make_sounds
from onsei.demo.run import TITLE
from onsei.demo.sounds import KINDS
from onsei.plots.report import Report
from onsei.systems.classification.config import Train
from onsei.systems.classification.evaluation import Evaluation, measure
from onsei.systems.classification.evaluation.chosen import Chosen, Hardest
from onsei.systems.classification.evaluation.report import Found, journal, report
from onsei.systems.classification.inference import Classifier
from onsei.systems.classification.training import train

_BUDGET = 1_500_000
"""Bytes of clips in the report."""
_HARDEST = 8


def chapter(folder: Path, page: Path, seed: int) -> None:
    """Make the sounds, train, measure against the network before its first step, and write the chapter."""
    print(f"making sounds: {len(KINDS)} kinds; pitches and paces of the test are never in training")
    sounds = make_sounds(folder / "sounds", seed)
    model = folder / "classification"
    if not (model / "onsei.json").exists():
        train(options(sounds, model, seed))
    runner = Classifier.load(model)
    test = Manifest.open(sounds.test)
    trained, control = measure(runner, test), measure(_untrained(runner, seed), test)
    rates = (trained.numbers()["accuracy"], control.numbers()["accuracy"])
    print(f"accuracy on sounds never heard: {rates[0]:.1f} % (untrained network: {rates[1]:.1f} %)")
    _report(sounds, model, trained, control).save_chapter(page, "classification", title=TITLE, order=2)


def options(sounds: Sounds, model: Path, seed: int) -> Train:
    """Options of the demo's training."""
    recipe = from_recipe(Train, Path(str(files("onsei.systems.classification"))) / "recipes" / "tiny.yaml")
    clock = replace(recipe.training, seed=seed, continue_from=str(model) if (model / "checkpoints").exists() else "")
    return replace(recipe, train_manifest=sounds.train, val_manifest=sounds.val, output_dir=model, training=clock)


def _untrained(runner: Classifier, seed: int) -> Classifier:
    """What chance alone gives."""
    fresh = untrained(runner.model, seed)
    return Classifier(fresh, runner.features, runner.labels, runner.device, runner.dtype)


def _report(sounds: Sounds, model: Path, trained: Evaluation, control: Evaluation) -> Report:
    chosen, hardest = Chosen(), Hardest(_HARDEST)
    for clip in trained.clips:
        chosen.add(clip)
        hardest.add(clip)
    training = len(Manifest.open(sounds.train))
    header = {
        "data": f"{training} made sounds to learn from, {len(trained.clips)} of other pitches and paces to test on",
        "untrained network": f"{control.numbers()['accuracy']:.1f} % accuracy on the same test",
        "what it says": "that the parts work together. Sounds of the world are far harder than sums of sines.",
    }
    again = (
        f"onsei classification evaluate {model} --test-manifest {sounds.test} --report classes.html",
        f"onsei classification classify {model} YOUR.wav",
    )
    found = Found(
        trained.tally, trained.numbers(), chosen, hardest.clips(), header, journal=journal(model), again=again
    )
    return report("Classification", "A classifier of sounds, trained minutes ago on this machine", found, _BUDGET)
