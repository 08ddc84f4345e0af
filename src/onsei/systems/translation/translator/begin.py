"""What a translator begins with: another translator, a semantic core, or chance."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from onsei.config import from_dict
from onsei.errors import ConfigError, ModelError
from onsei.hub import store
from onsei.hub.store import ModelFolder
from onsei.systems.translation.config.ground import ImageNetwork, UnitNetwork
from onsei.systems.translation.config.train import Train
from onsei.systems.translation.ground.core import Core
from onsei.systems.translation.ground.encoder import UnitEncoder
from onsei.systems.translation.ground.params import network_of, read_params
from onsei.systems.translation.stock import bart
from onsei.systems.translation.translator.model import Translator
from onsei.systems.translation.translator.saving import STAGE


@dataclass(frozen=True)
class Beginning:
    """A model that a translator begins with."""

    name: str
    """What it is, for messages."""
    units: UnitNetwork
    image: ImageNetwork
    count: int
    """Number of units."""
    about: Mapping[str, Any]
    """What is known of the acoustic model that made the units it learned from."""
    history: Mapping[str, str] = field(default_factory=dict)
    """What the folder of what is trained tells of it."""
    longest: int = sys.maxsize
    """Most tokens that its decoder writes."""
    core: Core | None = None
    translator: ModelFolder | None = None
    """The one of both that it is."""

    @classmethod
    def of(cls, options: Train, core: Core | None) -> Self | None:
        """The translator or the core that ``options`` name; None where training begins with chance.

        Raises:
            ConfigError: both are named.
            ModelError: the translator is none, or one of pictures.
        """
        if options.base:
            if core is not None:
                mend = "leave the core out: a translator holds its own encoder"
                raise ConfigError("base: a translator, and a semantic core too", mend, ["semantic_model"])
            return cls._of_translator(store.open(options.base, system="translation"), options.base)
        if core is None:
            return None
        return cls("the semantic core", core.units, core.image, core.count, core.about, core=core)

    @classmethod
    def _of_translator(cls, saved: ModelFolder, asked: str) -> Self:
        source = f"{saved.path}/{store.MODEL_FILE}"
        if saved.stage != STAGE or saved.config.get("source") != "units":
            found = "a translator of pictures" if saved.stage == STAGE else f"a model of the stage {saved.stage}"
            raise ModelError(
                f"{saved.path}: expected a translator of speech, found {found}",
                "name the --output-dir of an `onsei translation train` that learned from speech",
            )
        values = saved.config
        try:
            units = from_dict(UnitNetwork, values["units"], source)
            image = from_dict(ImageNetwork, values["image"], source)
            count, longest, about = int(values["num_clusters"]), int(values["longest"]), values["acoustic"]
        except KeyError as error:
            raise ModelError(f"{source}: config lacks {error}", "copy the whole folder again") from None
        name, history = "the translator that training begins with", {"finetuned_from": asked}
        return cls(name, units, image, count, about, history, longest, translator=saved)


def settled(options: Train) -> Train:
    """``options`` with the translator that a fine-tuning begins with as their base.

    A finished run lends its options too; what it began with itself is of no matter then.
    """
    training = options.training
    if not (training.finetune and training.continue_from):
        return options
    fresh = replace(training, continue_from="", finetune=False)
    return replace(options, base=training.continue_from, semantic_model=None, training=fresh)


def decoder_of(options: Train, beginning: Beginning | None, texts: Iterable[str]) -> bart.Found:
    """The decoder that ``options`` ask for; that of the translator that training begins with, with its tokens."""
    saved = None if beginning is None else beginning.translator
    return bart.made(options.decoder, texts) if saved is None else bart.rebuilt(saved.config["decoder"], saved.path)


def begun(options: Train, count: int, beginning: Beginning | None, decoder: bart.Found) -> Translator:
    """A translator of ``count`` units with the weights of what it begins with."""
    encoder = UnitEncoder(count, options.units)
    model = Translator(encoder, decoder.model, bart.width(decoder.model), options.decoder.word_dropout)
    if beginning is not None and beginning.core is not None:
        encoder.load_state_dict(beginning.core.network.encoder.state_dict())
    if beginning is not None and beginning.translator is not None:
        bart.fill(model, beginning.translator.weights(), beginning.translator.path)
    return model


def fitted(options: Train, beginning: Beginning | None) -> Train:
    """``options`` with the networks of what training begins with, or of a search's file."""
    if beginning is not None:
        decoder = replace(options.decoder, longest=min(options.decoder.longest, beginning.longest))
        return replace(options, units=beginning.units, image=beginning.image, decoder=decoder)
    if options.params_path is not None:
        return replace(options, units=network_of(options.units, read_params(options.params_path)))
    return options
