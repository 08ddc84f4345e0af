"""``best_params.json``: what a search found, and how it replaces options."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from onsei.config import from_dict, merged, to_dict
from onsei.errors import ConfigError
from onsei.systems.translation.config.ground import Ground, UnitNetwork

FILE = "best_params.json"
PLACES = {
    "learning_rate": "optimization.learning_rate",
    "lr": "optimization.learning_rate",
    "embedding_dim": "embedding_dim",
    "batch_size": "data.batch_size",
    "width": "units.width",
    "hidden_dim": "units.width",
    "num_clusters": "num_clusters",
}
"""Where a value of the file belongs, by its name here and in the original."""


def read_params(path: Path) -> dict[str, Any]:
    """Values of the file, by dotted path.

    Raises:
        ConfigError: it is missing, is no JSON object, or names something that is no option.
    """
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", "check --params-path") from None
    except ValueError as error:
        raise ConfigError(f"{path}: not JSON ({error})", "name the file that a search wrote") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected an object, found {type(values).__name__}", "name a search's file")
    unknown = [name for name in values if name not in PLACES]
    if unknown:
        raise ConfigError(f"{path}: {', '.join(unknown)}: no option of grounding", f"known: {', '.join(PLACES)}")
    return {PLACES[name]: value for name, value in values.items()}


def with_params(options: Ground, params: Mapping[str, Any], source: str) -> Ground:
    """``options`` with values by dotted path, or by their names in the file."""
    values = to_dict(options)
    for name, value in params.items():
        path = PLACES.get(name, name)
        for key in reversed(path.split(".")):
            value = {key: value}
        values = merged(values, value)
    return replace(from_dict(Ground, values, source), params_path=None)


def network_of(options: UnitNetwork, params: Mapping[str, Any]) -> UnitNetwork:
    """The unit network with what the file says of it."""
    width = params.get("units.width")
    return options if width is None else replace(options, width=int(width))
