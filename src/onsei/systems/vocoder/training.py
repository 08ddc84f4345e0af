"""Training a vocoder: the verb that puts recordings, networks and engine together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from onsei.config import to_dict
from onsei.hub import store
from onsei.systems.vocoder import adoption
from onsei.systems.vocoder.config.train import Train
from onsei.systems.vocoder.data import Preparation, gathered, source
from onsei.systems.vocoder.data.lists import check
from onsei.systems.vocoder.data.pairs import survey
from onsei.systems.vocoder.learner import VocoderLearner
from onsei.systems.vocoder.model import Voice, build, critics
from onsei.training.engine import Engine, Summary
from onsei.training.resume import choose_start
from onsei.vocoder.shapes import check_segment

SAVED = ("mel", "network")
"""What of the options a model is saved with."""


def train(options: Train) -> Summary:
    """Train from recordings, or on given mels; the best weights become the model folder ``options.output_dir``.

    Raises:
        OnseiError: a fault in options, recordings, mels or run folder; found before training starts.
    """
    check(options)
    options = settled(options)
    training, mel = options.training, options.mel
    mel.check()
    check_segment(options.data.segment_size, mel.hop)
    choose_start(training.continue_from, options.output_dir, finetune=training.finetune, system="vocoder")
    torch.manual_seed(training.seed)
    voice = build(options.network, mel)
    voice.checkpointing = options.checkpointing
    learner = VocoderLearner(voice, *critics(options.critics), options.losses, options.optimization)
    engine = Engine(training, options.output_dir, resolved=to_dict(options))
    lists = engine.processes.from_first(lambda: gathered(options))
    if options.fine_tuning and engine.processes.main:
        for manifest in (lists.train, lists.val):
            survey(manifest, mel, options.data.tolerance, compare=options.data.compare)
    extra = options.extra_mels_weight if options.extra_mels_dir is not None else 0.0
    given, tolerance = options.fine_tuning, options.data.tolerance
    segments = Preparation(mel, options.data.segment_size // mel.hop, given, extra, tolerance=tolerance)
    whole = Preparation(mel, 0, given, max_seconds=options.data.val_seconds, tolerance=tolerance)

    batches = source(lists.train, segments, options.data, seed=training.seed)
    origin = adoption.adopt(options, learner, engine, batches)

    def finish(folder: Path, history: Mapping[str, Any]) -> None:
        save(folder, options, voice, {**history, **({"finetuned_from": origin} if origin else {})})

    return engine.fit(learner, batches, source(lists.val, whole, options.data, seed=training.seed), finish)


def settled(options: Train) -> Train:
    """The options with what follows from others."""
    if options.fine_tuning and options.config is not None and options.mel.peak is not None:
        print("fine-tuning by a configuration of HiFi-GAN: sounds keep their level, as there (mel.peak null)")
        return replace(options, mel=replace(options.mel, peak=None))
    return options


def save(folder: Path, options: Train, voice: Voice, history: Mapping[str, Any]) -> None:
    """Write the model folder."""
    store.save(
        folder,
        system="vocoder",
        stage="train",
        config={name: value for name, value in to_dict(options).items() if name in SAVED},
        weights=voice.state_dict(),
        history=history,
    )
