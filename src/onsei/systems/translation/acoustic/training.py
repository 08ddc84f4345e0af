"""The verb `fit-units`: features, k-means, quantizer, and a report of what the units are worth."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from onsei.config import to_dict
from onsei.data.loader import Draw
from onsei.data.permutation import Permutation
from onsei.data.progress import tracked
from onsei.errors import DataError, ModelError, OnseiError
from onsei.hub import store
from onsei.hub.about import About
from onsei.systems.translation.acoustic import quality, study
from onsei.systems.translation.acoustic.features import Acoustic, opened
from onsei.systems.translation.acoustic.learner import Quantizing
from onsei.systems.translation.acoustic.listener import Listener, restored_model
from onsei.systems.translation.acoustic.model import UnitModel, codebook
from onsei.systems.translation.config.units import FitUnits
from onsei.systems.translation.data.pieces import Hearing, Pieces, recordings, source, told_speakers
from onsei.training.engine import Engine, Summary
from onsei.training.resume import choose_start
from onsei.units.quantizer import VectorQuantizer

STAGE = "fit-units"


def fit_units(options: FitUnits) -> Summary:
    """Find units; the model folder is ``options.output_dir``, with quality.json and a picture of units in it.

    Raises:
        OnseiError: a fault in options, recordings, base model or run folder; found before training starts.
    """
    training = options.training
    choose_start(training.continue_from, options.output_dir, finetune=training.finetune, system="translation")
    acoustic, about = opened(options.features, options.base_model_path)
    engine = Engine(training, options.output_dir, resolved=to_dict(options))
    train, val = recordings(
        options.train_manifest, options.val_manifest, options.data, options.output_dir, training.seed, engine.processes
    )
    if engine.processes.main:
        for line in told_speakers(train):
            print(line)
    torch.manual_seed(training.seed)
    options, quantizer = engine.processes.from_first(lambda: _started(options, acoustic, train, val))
    model = UnitModel(acoustic, quantizer)
    learner = Quantizing(model, options.learning_rate)

    def finish(folder: Path, history: Mapping[str, Any]) -> None:
        save(folder, options, model, about, history)
        listener = Listener(model.units, acoustic.frames, quantizer.codes, "", engine.processes.device, model)
        quality.report(listener, val.manifest, folder)

    return engine.fit(
        learner,
        source(train, options.data, seed=training.seed, training=True),
        source(val, options.data, seed=training.seed, training=False),
        finish,
    )


def save(
    folder: Path, options: FitUnits, model: UnitModel, base: Mapping[str, Any], history: Mapping[str, Any]
) -> None:
    """Write the model folder."""
    own = to_dict(options)
    store.save(
        folder,
        system="translation",
        stage=STAGE,
        config={
            "features": own["features"],
            "units": own["units"],
            "base": {**base, "fingerprint": model.acoustic.base.fingerprint},
            "frame_seconds": model.acoustic.frame_seconds,
        },
        weights=model.state_dict(),
        history=history,
        about=About(task="feature-extraction"),
    )


def _started(options: FitUnits, acoustic: Acoustic, train: Pieces, val: Pieces) -> tuple[FitUnits, VectorQuantizer]:
    """The quantizer that training begins with, and the options with the number of units that a study chose."""
    if options.training.continue_from and not options.training.finetune:
        chosen = _resumed(options)
        return chosen, VectorQuantizer(acoustic.dim, codebook(chosen.units))
    if options.codebook is not None:
        return options, _borrowed(options, acoustic)
    frames = sampled(acoustic, train, options.units.sample, options.training.seed)
    if options.study:
        best = study.best_clusters(options, acoustic, frames, val)
        options = replace(options, units=replace(options.units, num_clusters=best))
    if options.units.num_clusters > len(frames):
        raise DataError(
            f"num_clusters: {options.units.num_clusters} units of {len(frames)} frames",
            "take fewer --num-clusters, or more recordings",
        )
    quantizer = VectorQuantizer(acoustic.dim, codebook(options.units))
    quantizer.start(frames, sample=options.units.sample, polish=options.units.polish, seed=options.training.seed)
    return options, quantizer


def _resumed(options: FitUnits) -> FitUnits:
    """The options with the number of units of the run that goes on."""
    file = options.output_dir / study.CHOSEN
    if not options.study or not file.is_file():
        return options
    return replace(
        options, units=replace(options.units, num_clusters=int(json.loads(file.read_text())["num_clusters"]))
    )


def _borrowed(options: FitUnits, acoustic: Acoustic) -> VectorQuantizer:
    """The quantizer of another unit model.

    Raises:
        ModelError: it is of another base model, other features or another number of units.
    """
    assert options.codebook is not None
    saved = store.open(options.codebook, system="translation")
    if saved.stage != STAGE:
        raise ModelError(f"{saved.path}: a model of the stage {saved.stage}, expected {STAGE}", "name a unit model")
    theirs, ours = str(saved.config["base"]["fingerprint"]), acoustic.base.fingerprint
    if theirs != ours or saved.config["features"] != to_dict(options)["features"]:
        raise ModelError(
            f"{saved.path}: its codes are of the base model {theirs}, this one is {ours}",
            "fit units anew for this base model, or name the one that the codes were fitted with",
        )
    other = restored_model(saved).quantizer
    if other.codes != options.units.num_clusters:
        raise ModelError(
            f"{saved.path}: {other.codes} units, {options.units.num_clusters} were asked for",
            f"--num-clusters {other.codes}",
        )
    return other


def sampled(acoustic: Acoustic, pieces: Pieces, most: int, seed: int) -> NDArray[np.float32]:
    """Features of pieces in a random order, at least ``most`` frames where there are so many: (N, D).

    Raises:
        DataError: no piece can be used.
    """
    order = Permutation(len(pieces), seed)(np.arange(len(pieces)))
    seconds = np.cumsum(pieces.durations[order], dtype=np.float64)
    needed = int(np.searchsorted(seconds, most * acoustic.frame_seconds)) + 1
    parts: list[NDArray[np.float32]] = []
    faults: list[str] = []
    for features in _features(acoustic, pieces, order[:needed].tolist(), faults):
        parts.append(features)
    if not parts:
        raise DataError(f"{pieces.path}: no sound of it can be used: {faults[0]}", "check the recordings")
    return np.concatenate(parts)[:most]


def _features(
    acoustic: Acoustic, pieces: Pieces, numbers: list[int], faults: list[str]
) -> Iterator[NDArray[np.float32]]:
    hearing = Hearing(training=False)
    for number in tracked("features", numbers):
        try:
            row = pieces[number]
            piece = hearing(row, Draw(0, 0, row.id))
        except OnseiError as error:
            faults.append(error.message)  # told by training, in its turn
            continue
        samples = torch.from_numpy(piece.samples)[None]
        yield acoustic(samples, torch.tensor([samples.shape[1]]))[0][0].numpy()
