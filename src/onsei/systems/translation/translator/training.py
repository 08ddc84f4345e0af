"""The verb `train`: speech with translations, or pictures with captions, become a translator."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from onsei.config import to_dict
from onsei.data import manifest as manifests
from onsei.data.manifest import Manifest
from onsei.data.memory import Memory
from onsei.errors import ConfigError, DataError
from onsei.hub import store
from onsei.hub.about import About, base
from onsei.systems.translation.config.train import Train
from onsei.systems.translation.ground.core import Core
from onsei.systems.translation.ground.encoder import UnitEncoder
from onsei.systems.translation.ground.hearing import WITHIN
from onsei.systems.translation.ground.params import network_of, read_params
from onsei.systems.translation.ground.rows import Encoded, check_fit, open_encoded, part_off, shared
from onsei.systems.translation.stock import bart
from onsei.systems.translation.translator.data import Preparation, Seen, pictures, source
from onsei.systems.translation.translator.learner import Pivoting, Translating
from onsei.systems.translation.translator.model import Pivoted, Translator
from onsei.systems.translation.translator.parallel import with_units
from onsei.training.engine import Engine, Summary
from onsei.training.resume import choose_start

STAGE = "train"


@dataclass(frozen=True)
class Material:
    """Encoded speech with translations."""

    train: Encoded
    val: Encoded | None
    count: int
    """Number of units."""


def train(options: Train) -> Summary:
    """Train a translator; the best weights, or without validation the last, become ``options.output_dir``.

    Raises:
        OnseiError: a fault in options, manifests or run folder; found before training starts.
    """
    output_dir = _output_dir(options)
    if not options.training.continue_from:
        choose_start("", output_dir)
    core = None if options.semantic_model is None else Core.load(options.semantic_model, "cpu")
    if options.pivot.captions is not None:
        if core is None:
            raise ConfigError("pivot.captions: needs a semantic core", "--semantic-model-path DIR", ["semantic_model"])
        return _from_captions(options, core, options.pivot.captions)
    return _from_speech(options, core)


def _from_speech(options: Train, core: Core | None) -> Summary:
    output_dir = _output_dir(options)
    material = gathered(options, core)
    options = _fitted(options, core)
    torch.manual_seed(options.training.seed)
    decoder = bart.made(options.decoder, texts(material.train.manifest))
    encoder = UnitEncoder(material.count, options.units)
    if core is not None:
        encoder.load_state_dict(core.network.encoder.state_dict())
    model = Translator(encoder, decoder.model, bart.width(decoder.model))
    learner = Translating(model, options, grounded=core is not None)
    engine = Engine(options.training, output_dir, resolved=to_dict(options))
    longest, seed = options.decoder.longest, options.training.seed
    learning = Preparation(material.count, options.data.max_units, options.augment)
    batches = source(material.train, learning, decoder.tokens, longest, options.data, seed=seed, training=True)
    checking = None
    if material.val is not None:
        plain = replace(learning, augment=None)
        checking = source(material.val, plain, decoder.tokens, longest, options.data, seed=seed, training=False)

    def finish(folder: Path, history: Mapping[str, Any]) -> None:
        _check_learned(learner.seen, len(material.train.manifest), material.train.manifest.path, folder, history)
        about = dict(core.about if core is not None and core.about else material.train.about)
        config = _config(options, decoder, material.count, "units", about)
        save(folder, options, model, config, decoder, history)

    return engine.fit(learner, batches, checking, finish)


def _from_captions(options: Train, core: Core, captions: Path) -> Summary:
    output_dir = _output_dir(options)
    manifest = Manifest.open(captions)
    options = _fitted(options, core)
    torch.manual_seed(options.training.seed)
    decoder = bart.made(options.decoder, texts(manifest))
    model = Pivoted(core.size, options.pivot.states, decoder.model, bart.width(decoder.model))
    learner = Pivoting(model, core, options)
    engine = Engine(options.training, output_dir, resolved=to_dict(options))
    seen = Seen(core.seeing.transform, Memory(512 * 2**20))
    longest, seed = options.decoder.longest, options.training.seed
    batches = pictures(manifest, seen, decoder.tokens, longest, options.data, seed=seed)

    def finish(folder: Path, history: Mapping[str, Any]) -> None:
        _check_learned(learner.seen, len(manifest), manifest.path, folder, history)
        config = _config(options, decoder, core.count, "captions", dict(core.about))
        contrast = store.open(core.folder).config["contrast"]
        config["core"] = {"embedding_dim": core.size, "seeing": core.seeing.described(), "contrast": contrast}
        save(folder, options, nn.ModuleDict({"pivot": model, "core": core.network}), config, decoder, history)

    return engine.fit(learner, batches, None, finish)


def gathered(options: Train, core: Core | None) -> Material:
    """The rows that ``options`` name, checked.

    Raises:
        DataError, ConfigError: there are none, or they do not fit together or to the core.
    """
    if options.train_manifest is None or options.output_dir is None:
        raise ConfigError("train_manifest: required, but not given", "--train-manifest FILE", ["train_manifest"])
    encoded = open_encoded(with_units(options.train_manifest, options.acoustic_model, options.output_dir, "train"))
    empty = sum(1 for row in encoded.manifest if not (row.text or "").strip())
    if empty == len(encoded.manifest):
        raise DataError(f"{encoded.manifest.path}: no row has a text", "give rows the key `text`")
    if empty:
        print(f"onsei: {encoded.manifest.path}: {empty} rows without a text; they are left out")
    if options.data.limit:
        encoded = _first(encoded, options.data.limit, options.output_dir)
    val = None
    if options.val_manifest is not None:
        val = open_encoded(with_units(options.val_manifest, options.acoustic_model, options.output_dir, "val"))
        both = shared(encoded.manifest, val.manifest, "id")
        if both:
            raise DataError(f"{val.manifest.path}: {len(both)} rows are in training too, such as {both[0]}",
                            "keep what is chosen by apart from what is learned from")  # fmt: skip
    elif options.val_share:
        encoded, val = part_off(encoded, options.val_share, options.output_dir, by="text", seed=options.training.seed)
    count = core.count if core is not None else options.num_clusters or max(encoded.count, val.count if val else 0)
    for part in (encoded, *([val] if val else [])):
        check_fit(part, count, "the semantic core" if core is not None else "--num-clusters")
        _check_origin(part, core)
    print(
        f"{len(encoded.manifest)} translated clips to learn from, {len(val.manifest) if val else 'none'} to choose by"
    )
    return Material(encoded, val, count)


def _output_dir(options: Train) -> Path:
    if options.output_dir is None:
        raise ConfigError("output_dir: required, but not given", "--output-dir DIR", ["output_dir"])
    return options.output_dir


def texts(manifest: Manifest) -> Iterator[str]:
    """The translations of a manifest."""
    return (row.text.strip() for row in manifest if row.text and row.text.strip())


def save(
    folder: Path,
    options: Train,
    model: nn.Module,
    config: Mapping[str, Any],
    decoder: bart.Found,
    history: Mapping[str, Any],
) -> None:
    """Write the model folder, with a copy of the acoustic model where there is one."""
    known = About(task="translation")
    if decoder.origin is not None:
        name, license = base(decoder.origin, options.decoder.pretrained)
        known = replace(known, base_models=(name,) if name else (), base_license=license)
    weights = {name: value for name, value in model.state_dict().items() if name not in bart.tied(model)}
    store.save(
        folder, system="translation", stage=STAGE, config=config, weights=weights, history=history, about=known,
        files=decoder.tokens.files(),
    )  # fmt: skip
    if options.acoustic_model is not None and not (folder / WITHIN).exists():
        shutil.copytree(options.acoustic_model, folder / WITHIN, ignore=shutil.ignore_patterns(*store.RUN_FILES))


def _config(
    options: Train, decoder: bart.Found, count: int, source: str, acoustic: Mapping[str, Any]
) -> dict[str, Any]:
    values = to_dict(options)
    return {
        **{name: values[name] for name in ("units", "image", "pivot", "language")},
        "source": source,
        "num_clusters": count,
        "longest": options.decoder.longest,
        "decoder": bart.configuration(decoder.model),
        "acoustic": dict(acoustic),
    }


def _fitted(options: Train, core: Core | None) -> Train:
    """``options`` with the networks of the core, or of a search's file."""
    if core is not None:
        return replace(options, units=core.units, image=core.image)
    if options.params_path is not None:
        return replace(options, units=network_of(options.units, read_params(options.params_path)))
    return options


def _first(encoded: Encoded, count: int, folder: Path) -> Encoded:
    path = folder / f"first_{count}.jsonl"
    rows = range(min(count, len(encoded.manifest)))
    manifests.write(path, (encoded.manifest[number] for number in rows))
    return replace(encoded, manifest=Manifest.open(path), lengths=encoded.lengths[: len(rows)])


def _check_origin(encoded: Encoded, core: Core | None) -> None:
    """Refuse units of another acoustic model than the core's, where both are known."""
    mine, theirs = encoded.about.get("fingerprint"), core.about.get("fingerprint") if core is not None else None
    if mine and theirs and mine != theirs:
        raise DataError(
            f"{encoded.manifest.path}: units of another acoustic model than those that the semantic core learned from",
            "encode these rows with the core's own acoustic model",
        )


def _check_learned(seen: int, rows: int, path: Path, folder: Path, history: Mapping[str, Any]) -> None:
    if not seen and history["quarantined"] >= rows:
        raise DataError(
            f"{path}: none of its {rows} rows could be used, so nothing was learned",
            f"the reasons are in {folder / 'quarantine.jsonl'}",
        )
