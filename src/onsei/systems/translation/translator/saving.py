"""What a trained translator's folder holds."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from onsei.config import to_dict
from onsei.errors import DataError
from onsei.hub import store
from onsei.hub.about import About, base
from onsei.systems.translation.config.train import Train
from onsei.systems.translation.ground.hearing import WITHIN
from onsei.systems.translation.stock import bart

STAGE = "train"


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


def config_of(
    options: Train, decoder: bart.Found, count: int, source: str, acoustic: Mapping[str, Any]
) -> dict[str, Any]:
    """What a translator's folder says of it."""
    values = to_dict(options)
    return {
        **{name: values[name] for name in ("units", "image", "pivot", "language")},
        "source": source,
        "num_clusters": count,
        "longest": options.decoder.longest,
        "decoder": bart.configuration(decoder.model),
        "acoustic": dict(acoustic),
    }


def check_learned(seen: int, rows: int, path: Path, folder: Path, history: Mapping[str, Any]) -> None:
    """Refuse a training in which no row could be used.

    Raises:
        DataError: there was none.
    """
    if not seen and history["quarantined"] >= rows:
        raise DataError(
            f"{path}: none of its {rows} rows could be used, so nothing was learned",
            f"the reasons are in {folder / 'quarantine.jsonl'}",
        )
