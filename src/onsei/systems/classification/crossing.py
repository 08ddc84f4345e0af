"""Cross-validation: one training for each fold on all other folds, measured on it."""

from __future__ import annotations

import json
import re
import statistics
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from onsei.data import manifest as manifests
from onsei.data.manifest import Manifest
from onsei.data.row import Row
from onsei.errors import ConfigError, DataError
from onsei.paths import write_text
from onsei.systems.classification.config import CrossValidate, Train
from onsei.systems.classification.data import classes_of
from onsei.systems.classification.evaluation import measure
from onsei.systems.classification.inference import Classifier
from onsei.systems.classification.training import train

_MOST = 100
"""Folds that are still sensible; a key with more values is none that says folds."""


@dataclass(frozen=True)
class Fold:
    """One fold's training and what came of it."""

    name: str
    options: Train
    test: Path


@dataclass(frozen=True)
class Outcome:
    """What a fold gave."""

    name: str
    numbers: Mapping[str, float]
    """As ``evaluation.Evaluation.numbers`` gives them."""
    seconds: float
    """Of its training, with reading the sounds."""


def cross_validate(options: CrossValidate) -> None:
    """Train and measure every fold; print one table and write JSON where asked.

    Raises:
        OnseiError: a fault in options, manifest or folders; found before training starts.
    """
    folds = prepared(options)
    began = time.perf_counter()
    outcomes: list[Outcome] = []
    for outcome in _outcomes(folds, options.jobs):
        accuracy = outcome.numbers["accuracy"]
        print(f"{options.by} {outcome.name}: accuracy {accuracy:.2f} %, {outcome.seconds:.0f} s", flush=True)
        outcomes.append(outcome)
    numbers = summary(outcomes, time.perf_counter() - began)
    Console().print(table(outcomes, numbers, options.by))
    if options.json is not None:
        write_text(options.json, json.dumps(numbers, indent=1) + "\n")


def prepared(options: CrossValidate) -> list[Fold]:
    """Write each fold's manifests, and say how it is to be trained.

    Raises:
        OnseiError: a fault in options, manifest or folders.
    """
    if options.train_manifest is None or options.output_dir is None:
        lacking = "manifest" if options.train_manifest is None else "output-dir"
        raise ConfigError(f"--{lacking}: required, but not given", f"give --{lacking} PATH")
    if options.val_manifest is not None:
        raise ConfigError(
            "val_manifest: cross-validation chooses no weights, so there is nothing to validate", "leave it out"
        )
    manifest = Manifest.open(options.train_manifest)
    rows = list(manifest.readable())
    labels, _ = classes_of(manifest, options.labels)
    parts = parted(rows, options.by, manifest.path)
    wanted = [name.strip() for name in options.folds.split(",") if name.strip()] or list(parts)
    unknown = sorted(set(wanted) - set(parts))
    if unknown:
        raise ConfigError(
            f"folds: {', '.join(unknown)}: no row of {manifest.path} has this {options.by}",
            f"choose among {', '.join(parts)}",
        )
    plain = Train(**{f.name: getattr(options, f.name) for f in fields(Train)})
    folds = []
    for name in wanted:
        folder = options.output_dir / f"{options.by}-{re.sub(r'[^A-Za-z0-9._-]', '_', name)}"
        if folder.exists() and any(folder.iterdir()):
            raise ConfigError(f"{folder}: holds something already", "give another --output-dir")
        lists = {part: options.output_dir / "lists" / f"{folder.name}-{part}.jsonl" for part in ("train", "test")}
        manifests.write(lists["train"], (row for other, held in parts.items() if other != name for row in held))
        manifests.write(lists["test"], parts[name])
        chosen = replace(plain, train_manifest=lists["train"], output_dir=folder, labels=labels)
        folds.append(Fold(name, chosen, lists["test"]))
    return folds


def parted(rows: Iterable[Row], by: str, path: Path) -> dict[str, list[Row]]:
    """The rows of each fold, in the folds' order.

    Raises:
        DataError: rows lack the key, or there is one fold only, or so many that the key says no folds.
    """
    parts: dict[str, list[Row]] = {}
    without = 0
    for row in rows:
        value = row.extra.get(by, getattr(row, by, None) if by in Row.__dataclass_fields__ else None)
        if value is None:
            without += 1
        else:
            parts.setdefault(str(value), []).append(row)
    if without:
        raise DataError(f"{path}: {without} rows have no key {by!r}", "give each row its fold, or name another --by")
    if not 1 < len(parts) <= _MOST:
        raise DataError(f"{path}: {len(parts)} values of {by!r}, expected 2 to {_MOST} folds", "name another --by")
    return dict(sorted(parts.items(), key=lambda part: (len(part[0]), part[0]) if part[0].isdigit() else (99, part[0])))


def run(fold: Fold) -> Outcome:
    """Train a fold and measure it."""
    began = time.perf_counter()
    train(fold.options)
    seconds = time.perf_counter() - began
    assert fold.options.output_dir is not None
    device = fold.options.training.device
    found = measure(Classifier.load(fold.options.output_dir, device), Manifest.open(fold.test))
    return Outcome(fold.name, found.numbers(), seconds)


def summary(outcomes: Iterable[Outcome], seconds: float) -> dict[str, Any]:
    """Flat numbers: mean and spread over the folds of every rate that all have, and each fold's accuracy."""
    outcomes = list(outcomes)
    ends = ("_low", "_high")  # of intervals, of which the mean says nothing
    rates = [name for name in outcomes[0].numbers if "/" not in name and not name.endswith(ends)]
    shared = [name for name in rates if all(isinstance(o.numbers.get(name), float) for o in outcomes)]
    numbers: dict[str, Any] = {"folds": len(outcomes)}
    for name in dict.fromkeys(["accuracy", *shared]):
        values = [o.numbers[name] for o in outcomes]
        numbers[f"{name}_mean"] = statistics.mean(values)
        numbers[f"{name}_std"] = statistics.stdev(values) if len(values) > 1 else 0.0
    numbers |= {f"accuracy_{o.name}": o.numbers["accuracy"] for o in outcomes}
    return {**numbers, "train_seconds": sum(o.seconds for o in outcomes), "seconds": seconds}


def table(outcomes: Iterable[Outcome], numbers: Mapping[str, Any], by: str) -> Table:
    """One line a fold, and the mean with its spread."""
    shown = Table(title=f"cross-validated by {by}")
    for column in (by, "accuracy", "training"):
        shown.add_column(column, justify="left" if column == by else "right")
    for outcome in outcomes:
        shown.add_row(outcome.name, f"{outcome.numbers['accuracy']:.2f} %", f"{outcome.seconds:.0f} s")
    shown.add_section()
    mean, spread = numbers["accuracy_mean"], numbers["accuracy_std"]
    shown.add_row("mean ± deviation", f"{mean:.2f} ± {spread:.2f} %", f"{numbers['seconds']:.0f} s in all")
    return shown


def _outcomes(folds: list[Fold], jobs: int) -> Iterable[Outcome]:
    if jobs == 1:
        yield from map(run, folds)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(run, folds)
