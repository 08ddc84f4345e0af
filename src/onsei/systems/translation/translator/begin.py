"""What a translator begins with: options that fit a semantic core, and its weights."""

from __future__ import annotations

from dataclasses import replace

from onsei.systems.translation.config.train import Train
from onsei.systems.translation.ground.core import Core
from onsei.systems.translation.ground.encoder import UnitEncoder
from onsei.systems.translation.ground.params import network_of, read_params
from onsei.systems.translation.stock import bart
from onsei.systems.translation.translator.material import Material
from onsei.systems.translation.translator.model import Translator


def begun(options: Train, material: Material, core: Core | None, decoder: bart.Found) -> Translator:
    """A translator whose unit encoder is the core's, where there is one."""
    encoder = UnitEncoder(material.count, options.units)
    if core is not None:
        encoder.load_state_dict(core.network.encoder.state_dict())
    return Translator(encoder, decoder.model, bart.width(decoder.model), options.decoder.word_dropout)


def fitted(options: Train, core: Core | None) -> Train:
    """``options`` with the networks of the core, or of a search's file."""
    if core is not None:
        return replace(options, units=core.units, image=core.image)
    if options.params_path is not None:
        return replace(options, units=network_of(options.units, read_params(options.params_path)))
    return options
