"""The verb `pretrain`: puts recordings, network and engine together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from onsei.config import to_dict
from onsei.data.loader import Draw
from onsei.errors import ConfigError, OnseiError
from onsei.hub import store
from onsei.hub.about import About, base
from onsei.systems.translation.acoustic.listener import Listener
from onsei.systems.translation.config.pretrain import Pretrain
from onsei.systems.translation.data.pieces import Hearing, Pieces, recordings, source, speakers, told_speakers
from onsei.systems.translation.pretrain.build import Plan, planned, targets, unnamed
from onsei.systems.translation.pretrain.learner import Pretraining
from onsei.training.engine import Engine, Summary
from onsei.training.learner import Clock
from onsei.training.resume import choose_start
from onsei.units import kmeans
from onsei.units.kmeans import KMeans
from onsei.units.spectral import RATE

STAGE = "pretrain"
ENOUGH_HOURS = 10.0
_TARGET_PIECES = 3000
"""Pieces of sound that targets are clustered from, at most."""


def pretrain(options: Pretrain) -> Summary:
    """Train an encoder; the best weights become the model folder ``options.output_dir``.

    Raises:
        OnseiError: a fault in options, recordings or run folder; found before training starts.
    """
    training = options.training
    choose_start(training.continue_from, options.output_dir, finetune=training.finetune, system="translation")
    plan = planned(options.network, options.task)
    engine = Engine(training, options.output_dir, resolved=to_dict(options))
    train, val = recordings(
        options.train_manifest, options.val_manifest, options.data, options.output_dir, training.seed, engine.processes
    )
    if engine.processes.main:
        for line in told(train, options):
            if not training.silent or line.startswith("warning"):
                print(line)
    torch.manual_seed(training.seed)
    teacher, count = taught(options, plan)
    if teacher is not None:
        options = replace(options, task=replace(options.task, clusters=count))
        clusters: KMeans | None = unnamed(count)
    else:
        clusters = engine.processes.from_first(lambda: _targets(train, options))
    torch.manual_seed(training.seed)
    model, random = plan.build(options.task, clusters, teacher)
    if options.network.freeze_front and not plan.mel:
        _front(model).requires_grad_(False)
    learner = Pretraining(model, plan.frames, options.task, options.optimization, standardize=plan.standardize)
    batches = source(train, options.data, seed=training.seed, training=True)
    if engine.processes.main and random:
        print(f"{options.network.base_model}: {len(random)} tensors are not in it and start at random: {random[0]} …")
    if engine.processes.main and engine.processes.device.type == "cpu" and not training.silent:
        print(_estimate(learner, batches, options, train))

    def finish(folder: Path, history: Mapping[str, Any]) -> None:
        if learner.collapsed:
            print("onsei: collapse: the network that is saved uses hardly any of its codevectors or units")
        save(folder, plan, options, learner, {**history, "collapsed": learner.collapsed})

    checks = source(val, options.data, seed=training.seed, training=False)
    return engine.fit(learner, batches, checks, finish)


def taught(options: Pretrain, plan: Plan) -> tuple[Callable[[Tensor], Tensor] | None, int]:
    """What names the units in place of clusters of cepstra, and how many there are; None and 0 where nothing does.

    Raises:
        ModelError: there is no such model.
        ConfigError: its frames are others, or the objective has no units.
    """
    task = options.task
    if not task.targets:
        return None, 0
    if task.objective != "masked-units":
        raise ConfigError(f"targets: {task.targets}, but nothing is named", "--objective masked-units", ["targets"])
    listener = Listener.load(task.targets, "cpu")
    if listener.frames != plan.frames or listener.model is None:
        raise ConfigError(
            f"{task.targets}: expected a unit model with frames of {plan.frames.smallest} samples every "
            f"{plan.frames.stride}",
            "name the --output-dir of `onsei translation fit-units`",
            ["targets"],
        )
    model = listener.model

    def units(heard: Tensor) -> Tensor:
        model.to(heard.device)
        found: Tensor = model(heard).quantized.units
        return found

    return units, listener.count


def save(folder: Path, plan: Plan, options: Pretrain, learner: Pretraining, history: Mapping[str, Any]) -> None:
    """Write the model folder."""
    model: Any = learner.modules["model"]
    known = About(task="feature-extraction")
    if plan.origin is not None:
        name, license = base(plan.origin.folder, options.network.base_model)
        known = About(task="feature-extraction", base_models=(name,) if name else (), base_license=license)
    own = to_dict(options)
    store.save(
        folder,
        system="translation",
        stage=STAGE,
        config={
            "network": own["network"],
            "task": own["task"],
            "standardize": plan.standardize,
            "encoder": plan.config.to_dict(),
        },
        weights=model.state_dict(),
        history=history,
        about=known,
        files=plan.files(model),
    )


def told(train: Pieces, options: Pretrain) -> Iterator[str]:
    """What the user should know of the recordings before they are learned from."""
    hours = float(train.durations.sum(dtype=np.float64)) / 3600
    names = speakers(train.manifest)
    voices = f", {len(names)} speaker{'s' if len(names) > 1 else ''}" if names else ""
    yield f"{hours:.2f} h of sound in {len(train)} pieces{voices}"
    if train.left_out:
        yield f"{train.left_out} recordings are shorter than {options.data.min_seconds:g} s and left out"
    if hours < ENOUGH_HOURS:
        yield (
            f"warning: {hours:.2f} h is little: 10 h or more are advised. Small data is better served by "
            "--frontend mel or --objective masked-units, and --diversity-weight 1"
        )
    yield from told_speakers(train)


def _targets(train: Pieces, options: Pretrain) -> KMeans | None:
    """Clusters of cepstra, from pieces that lie evenly over the recordings."""
    if options.task.objective != "masked-units":
        return None
    features, hearing = targets(), Hearing(training=False)
    chosen = np.unique(np.linspace(0, len(train) - 1, min(len(train), _TARGET_PIECES)).astype(int))

    def blocks() -> Iterator[NDArray[np.float32]]:
        for number in chosen.tolist():
            try:
                row = train[number]
                piece = hearing(row, Draw(options.training.seed, 0, row.id))
            except OnseiError:
                continue  # told in its turn
            yield features(torch.from_numpy(piece.samples)[None])[0][0].numpy()

    return kmeans.fit(blocks, options.task.clusters, seed=options.training.seed)


def _estimate(learner: Pretraining, batches: Any, options: Pretrain, train: Pieces) -> str:
    """How long training will take on this CPU, by one step on the largest batch."""
    batch = batches.largest(0)
    if not batch.size:
        return "the largest batch holds no usable sound; no estimate of time"
    model = learner.modules["model"]
    times = []
    for _ in range(2):  # the first one warms up
        torch.manual_seed(0)
        since = time.perf_counter()
        learner.step(batch, Clock(0, 0, 0), lambda name, loss, keep=False: loss.backward())
        times.append(time.perf_counter() - since)
        model.zero_grad(set_to_none=True)
    sound = batch.samples.numel() / RATE
    total = float(train.durations.sum(dtype=np.float64)) * options.training.epochs
    most = options.training.max_steps * sound * options.training.accumulate
    total = min(total, most) if most else total
    seconds = times[-1] * total / sound
    left = timedelta(seconds=round(seconds))
    return f"this CPU learns {sound / times[-1]:.0f} s of sound a second: about {left} for {total / 3600:.2f} h in all"


def _front(model: Any) -> torch.nn.Module:
    body = model.wav2vec2 if hasattr(model, "wav2vec2") else model.body
    front: torch.nn.Module = body.feature_extractor
    return front
