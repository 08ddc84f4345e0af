"""Training that HiFi-GAN's own code began: g_ and do_ files in the run folder, from which a run goes on."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from torch.optim import Optimizer

from onsei.errors import ConfigError
from onsei.systems.vocoder.config.train import Train
from onsei.systems.vocoder.learner import VocoderLearner
from onsei.training import checkpoint as runs
from onsei.training.clock import Standing
from onsei.training.engine import Engine
from onsei.training.learner import BatchSource
from onsei.training.trainee import Trainee
from onsei.vocoder import checkpoints
from onsei.vocoder.generator import Generator
from onsei.vocoder.weightnorm import fill


def adopt(options: Train, learner: VocoderLearner, engine: Engine, batches: BatchSource) -> str:
    """Begin where the newest ``g_`` and ``do_`` of the run folder stand.

    A pair is written as a checkpoint of the run, from which ``engine`` then goes on: weights, both optimizers, steps
    and epochs. A ``g_`` alone lends its weights to a fine-tuning.

    Returns:
        The ``g_`` file that a fine-tuning begins with; empty where there is none, or the run goes on.

    Raises:
        ModelError: files that cannot be read or do not fit; outside of fine-tuning a ``g_`` without its ``do_``.
        ConfigError: the network is not HiFi-GAN's.
    """
    folder = options.output_dir
    generator, training = checkpoints.newest(folder)
    if options.training.continue_from or (generator is None and training is None):
        return ""
    voice = learner.modules["generator"]
    if not isinstance(voice, Generator):
        raise ConfigError(
            f"{folder}: holds files of HiFi-GAN, and the network is the fast head", "choose another folder"
        )
    if generator is not None and training is None and options.fine_tuning:
        fill(voice, checkpoints.read_generator(generator), str(generator))
        if engine.processes.main:
            print(f"weights from {generator}; no do_ file beside it: the discriminators begin anew")
        return str(generator)
    pair = checkpoints.pair(folder)
    engine.processes.from_first(lambda: _write(options, learner, engine, batches, *pair))
    engine.options = replace(engine.options, continue_from=str(folder))
    return ""


def _write(
    options: Train, learner: VocoderLearner, engine: Engine, batches: BatchSource, generator: Path, training: Path
) -> None:
    """The pair as a checkpoint of the run; the Learner's optimizers keep the settings of the options."""
    trainee = Trainee(learner, options.training, engine.processes, {})
    state = checkpoints.read_training(training)
    for name, weights in (("mpd", state.mpd), ("msd", state.msd)):
        fill(learner.modules[name], weights, str(training))
    fill(learner.modules["generator"], checkpoints.read_generator(generator), str(generator))
    own = {name: _settings(optimizer) for name, optimizer in learner.optimizers.items()}
    checkpoints.restore(learner.optimizers["generator"], state.optim_g, f"{training}: optim_g")
    checkpoints.restore(learner.optimizers["discriminator"], state.optim_d, f"{training}: optim_d")
    for name, optimizer in learner.optimizers.items():
        for group, settings in zip(optimizer.param_groups, own[name], strict=True):
            group.update(settings)
    runs.write(
        options.output_dir,
        trainee.state_dict(trainee.gather_statistics()),
        standing=Standing(
            run=uuid.uuid4().hex[:12],
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            epoch=max(0, state.epoch),
            step=state.steps,
        ),
        learner=trainee.name,
        world=engine.processes.world,
        fingerprint=batches.fingerprint(),
        metrics_bytes=0,
    )
    print(f"going on from {generator} and {training}: step {state.steps}, epoch {max(0, state.epoch)}")


def _settings(optimizer: Optimizer) -> Sequence[dict[str, Any]]:
    return [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]
