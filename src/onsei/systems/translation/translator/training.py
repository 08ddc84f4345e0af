"""The verb `train`: speech with translations, or pictures with captions, become a translator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from onsei.config import to_dict
from onsei.data.manifest import Manifest
from onsei.data.memory import Memory
from onsei.errors import ConfigError
from onsei.hub import store
from onsei.systems.translation.config.train import Train
from onsei.systems.translation.ground.core import Core
from onsei.systems.translation.stock import bart
from onsei.systems.translation.translator.begin import Beginning, begun, decoder_of, fitted, settled
from onsei.systems.translation.translator.data import Preparation, Seen, pictures, source
from onsei.systems.translation.translator.endtoend import from_sound
from onsei.systems.translation.translator.learner import Pivoting, Translating
from onsei.systems.translation.translator.material import gathered, output_dir_of, texts
from onsei.systems.translation.translator.model import Pivoted
from onsei.systems.translation.translator.saving import check_learned, config_of, save
from onsei.training.engine import Engine, Summary
from onsei.training.resume import choose_start


def train(options: Train) -> Summary:
    """Train a translator; the best weights, or without validation the last, become ``options.output_dir``.

    Raises:
        OnseiError: a fault in options, manifests or run folder; found before training starts.
    """
    options = settled(options)
    output_dir = output_dir_of(options)
    if not options.training.continue_from:
        choose_start("", output_dir)
    core = None if options.semantic_model is None else Core.load(options.semantic_model, "cpu")
    if options.pivot.captions is not None:
        if options.base:
            fault = "base: a translator of speech to begin with, and captions that a decoder of pictures learns from"
            raise ConfigError(fault, "leave one out: --base (or --finetune), or --pivot.captions", ["base"])
        if core is None:
            raise ConfigError("pivot.captions: needs a semantic core", "--semantic-model-path DIR", ["semantic_model"])
        return _from_captions(options, core, options.pivot.captions)
    beginning = Beginning.of(options, core)
    if options.optimization.acoustic_rate:
        return from_sound(options, beginning)
    return _from_speech(options, beginning)


def _from_speech(options: Train, beginning: Beginning | None) -> Summary:
    output_dir = output_dir_of(options)
    material = gathered(options, beginning)
    options = fitted(options, beginning)
    torch.manual_seed(options.training.seed)
    decoder = decoder_of(options, beginning, texts(material.train.manifest))
    model = begun(options, material.count, beginning, decoder)
    learner = Translating(model, options, grounded=beginning is not None)
    engine = Engine(options.training, output_dir, resolved=to_dict(options))
    longest, seed = options.decoder.longest, options.training.seed
    learning = Preparation(material.count, options.data.max_units, options.augment)
    batches = source(material.train, learning, decoder.tokens, longest, options.data, seed=seed, training=True)
    checking = None
    if material.val is not None:
        plain = replace(learning, augment=None)
        checking = source(material.val, plain, decoder.tokens, longest, options.data, seed=seed, training=False)

    def finish(folder: Path, history: Mapping[str, Any]) -> None:
        check_learned(learner.seen, len(material.train.manifest), material.train.manifest.path, folder, history)
        config = config_of(options, decoder, material.count, "units", material.about)
        save(folder, options, model, config, decoder, {**history, **material.history})

    return engine.fit(learner, batches, checking, finish)


def _from_captions(options: Train, core: Core, captions: Path) -> Summary:
    output_dir = output_dir_of(options)
    manifest = Manifest.open(captions)
    options = replace(options, units=core.units, image=core.image)
    torch.manual_seed(options.training.seed)
    decoder = bart.made(options.decoder, texts(manifest))
    width, hidden = bart.width(decoder.model), options.decoder.word_dropout
    model = Pivoted(core.size, options.pivot.states, decoder.model, width, hidden)
    learner = Pivoting(model, core, options)
    engine = Engine(options.training, output_dir, resolved=to_dict(options))
    seen = Seen(core.seeing.transform, Memory(512 * 2**20))
    longest, seed = options.decoder.longest, options.training.seed
    batches = pictures(manifest, seen, decoder.tokens, longest, options.data, seed=seed)

    def finish(folder: Path, history: Mapping[str, Any]) -> None:
        check_learned(learner.seen, len(manifest), manifest.path, folder, history)
        config = config_of(options, decoder, core.count, "captions", dict(core.about))
        contrast = store.open(core.folder).config["contrast"]
        config["core"] = {"embedding_dim": core.size, "seeing": core.seeing.described(), "contrast": contrast}
        save(folder, options, nn.ModuleDict({"pivot": model, "core": core.network}), config, decoder, history)

    return engine.fit(learner, batches, None, finish)
