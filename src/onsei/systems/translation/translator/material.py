"""Speech with translations, looked through and checked before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from onsei.data import manifest as manifests
from onsei.data.manifest import Manifest
from onsei.errors import ConfigError, DataError
from onsei.systems.translation.config.train import Train
from onsei.systems.translation.ground.rows import Encoded, check_fit, open_encoded, part_off, shared
from onsei.systems.translation.translator.begin import Beginning
from onsei.systems.translation.translator.parallel import with_units


@dataclass(frozen=True)
class Material:
    """Encoded speech with translations."""

    train: Encoded
    val: Encoded | None
    count: int
    """Number of units."""
    about: dict[str, Any]
    """What is known of the acoustic model that made them."""
    history: Mapping[str, str]
    """What the folder of what is trained tells of what it began with."""


def gathered(options: Train, beginning: Beginning | None) -> Material:
    """The rows that ``options`` name, checked.

    Raises:
        DataError, ConfigError: there are none, or they do not fit together or to what training begins with.
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
    known = options.num_clusters or max(encoded.count, val.count if val else 0)
    count = beginning.count if beginning is not None else known
    for part in (encoded, *([val] if val else [])):
        check_fit(part, count, beginning.name if beginning is not None else "--num-clusters")
        _check_origin(part, beginning)
    print(
        f"{len(encoded.manifest)} translated clips to learn from, {len(val.manifest) if val else 'none'} to choose by"
    )
    about = dict(beginning.about if beginning is not None and beginning.about else encoded.about)
    return Material(encoded, val, count, about, beginning.history if beginning is not None else {})


def output_dir_of(options: Train) -> Path:
    """Where the run goes.

    Raises:
        ConfigError: it is not said.
    """
    if options.output_dir is None:
        raise ConfigError("output_dir: required, but not given", "--output-dir DIR", ["output_dir"])
    return options.output_dir


def texts(manifest: Manifest) -> Iterator[str]:
    """The translations of a manifest."""
    return (row.text.strip() for row in manifest if row.text and row.text.strip())


def _first(encoded: Encoded, count: int, folder: Path) -> Encoded:
    path = folder / f"first_{count}.jsonl"
    rows = range(min(count, len(encoded.manifest)))
    manifests.write(path, (encoded.manifest[number] for number in rows))
    return replace(encoded, manifest=Manifest.open(path), lengths=encoded.lengths[: len(rows)])


def _check_origin(encoded: Encoded, beginning: Beginning | None) -> None:
    """Refuse units of another acoustic model than those before, where both are known."""
    if beginning is None:
        return
    mine, theirs = encoded.about.get("fingerprint"), beginning.about.get("fingerprint")
    if mine and theirs and mine != theirs:
        raise DataError(
            f"{encoded.manifest.path}: units of another acoustic model than those that {beginning.name} learned from",
            "encode these rows with its own acoustic model",
        )
