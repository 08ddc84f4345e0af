"""Training a singer: the verb that puts songs, network and engine together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from onsei.config import to_dict
from onsei.data.loader import Loader
from onsei.data.progress import tracked
from onsei.errors import ConfigError
from onsei.hub import store, weights
from onsei.hub.about import About
from onsei.systems.song import beginning, lora
from onsei.systems.song.beginning import Beginning
from onsei.systems.song.config.saved import Saved, Tokens
from onsei.systems.song.config.train import Train
from onsei.systems.song.data.batches import Batch, Item
from onsei.systems.song.data.latents import Latents
from onsei.systems.song.data.lists import Lists, gathered
from onsei.systems.song.data.source import Preparation, source
from onsei.systems.song.exchange.importing import ABOUT
from onsei.systems.song.learner import SongLearner
from onsei.systems.song.model import Autoencoder
from onsei.training.engine import Engine, Summary
from onsei.training.options import Training
from onsei.training.resume import choose_start

ADAPTERS = "adapters"
"""Folder in the model folder that holds the adapters alone, as peft opens them."""
ENOUGH = 5_000
"""Steps below which a fine-tuning changes little."""
_ABOUT = About(summary=ABOUT.summary, limits=ABOUT.limits[1:])


@dataclass(frozen=True)
class Sources:
    """Batches of a run."""

    train: Loader[Item, Batch]
    val: Loader[Item, Batch] | None
    preparation: Preparation


def train(options: Train) -> Summary | None:
    """Train from prepared songs; the best weights become the model folder ``options.output_dir``.

    Raises:
        OnseiError: a fault in options, songs, codebook, base or run folder; found before training starts.
    """
    given = options.training
    choose_start(given.continue_from, options.output_dir, finetune=given.finetune, system="song")
    options = beginning.settled(options)
    if options.dry_run:
        from onsei.systems.song.dryrun import dry_run

        dry_run(options)
        return None
    if options.train_manifest is None:
        raise ConfigError("train_manifest: required, but not given", "--train-manifest PATH", ["train_manifest"])
    training = options.training
    torch.manual_seed(training.seed)
    begun = beginning.made(options)
    engine = Engine(training, options.output_dir, resolved=to_dict(options))
    lists = engine.processes.from_first(lambda: gathered(options, begun.codec.codec))
    beginning.check_codebook(options, begun.codebook, lists.codebook)
    latents = Latents(begun.codec, options.data.latent_cache)
    sources = batches(options, begun, lists, latents)
    engine.processes.from_first(lambda: encode(lists, sources, latents, silent=training.silent))
    if engine.processes.main and not training.silent:
        for remark in begun.remarks:
            print(f"onsei: {remark}")
        steps = planned(sources.train.count(0), training, engine.processes.world)
        print(told(steps, len(lists.train), tuned=bool(options.base)))
    learner = SongLearner(begun.network, options.objective, options.optimization, codebook=lists.codebook)

    def finish(folder: Path, history: Mapping[str, Any]) -> None:
        save(folder, options, begun, lists.codebook, history)

    return engine.fit(learner, sources.train, sources.val, finish)


def batches(options: Train, begun: Beginning, lists: Lists, latents: Latents) -> Sources:
    """Batches of the manifests."""
    longest = options.data.max_duration
    prepared = Preparation(lists.train.folder, options.network, begun.phones, latents, lists.codebook, longest)
    seed = options.training.seed
    val = None if lists.val is None else source(lists.val, prepared, options.data, seed=seed, training=False)
    return Sources(source(lists.train, prepared, options.data, seed=seed, training=True), val, prepared)


def encode(lists: Lists, sources: Sources, latents: Latents, *, silent: bool) -> None:
    """Compute the latents that are not on disk yet."""
    if isinstance(latents.codec, Autoencoder):
        latents.codec.to("cuda" if torch.cuda.is_available() else "cpu")
    for manifest in (lists.train, lists.val):
        if manifest is not None:
            rows = list(replace(sources.preparation, folder=manifest.folder).sounds(manifest))
            latents.gather(rows if silent else tracked("encoding", rows))
    if isinstance(latents.codec, Autoencoder):
        latents.codec.to("cpu")


def planned(count: int, training: Training, world: int) -> int:
    """Optimizer steps of a run of ``count`` batches an epoch."""
    steps = training.epochs * math.ceil(count / (world * training.accumulate))
    return min(steps, training.max_steps) if training.max_steps else steps


def told(steps: int, songs: int, *, tuned: bool) -> str:
    """How long the run will be, with a warning where that is too short to fine-tune a singer."""
    said = f"{songs} rows, {steps:,} steps planned"
    if tuned and steps < ENOUGH:
        said += f"\nonsei: warning: a fine-tuning of less than {ENOUGH:,} steps hardly changes how a singer sings"
    return said


def save(folder: Path, options: Train, begun: Beginning, codebook: str, history: Mapping[str, Any]) -> None:
    """Write the model folder, adapters joined; alone they lie in ``adapters`` beside it."""
    network = begun.network
    if options.lora.use_lora:
        base = weights.fingerprint(store.open(options.base, system="song").path / store.WEIGHTS_FILE)
        lora.save(network, options.lora, folder / ADAPTERS, base)
    tensors = {f"model.{name}": tensor for name, tensor in lora.joined(network).items()}
    tensors |= {f"vae.{name}": tensor for name, tensor in begun.codec.state_dict().items()}
    store.save(
        folder,
        system="song",
        stage="train",
        config=to_dict(Saved(options.network, options.codec, Tokens(codebook))),
        weights=tensors,
        labels=begun.phones.symbols,
        history={**history, **({"finetuned_from": options.base} if options.base else {})},
        about=ABOUT if options.base else _ABOUT,
    )
