"""What stands at the head of a report: which model, trained how, on what; and how to make it again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onsei import __version__
from onsei.data.manifest import Manifest
from onsei.errors import OnseiError
from onsei.hub import store
from onsei.hub.about import About
from onsei.systems.classification.config import Evaluate
from onsei.systems.classification.evaluation.hearing import Namer


def described(options: Evaluate, manifest: Manifest, runner: Namer) -> tuple[dict[str, str], list[str]]:
    """Facts by name, and the commands that make the report again, from training on where it is known."""
    facts = {
        "model": str(options.model),
        "data": f"{manifest.path.name}, {len(manifest):,} rows",
        "classes": _listed([str(label) for label in runner.labels]),
        "sampling rate": f"{runner.sample_rate:,} Hz",
    }
    again = []
    network = getattr(runner, "model", None)
    if network is not None and hasattr(network, "parameters"):
        facts["parameters"] = f"{sum(p.numel() for p in network.parameters()):,}"
    try:
        saved = store.open(options.model)
    except OnseiError:  # a network of another toolkit
        saved = None
    if saved is not None:
        facts |= _trained(saved.history, About.of(saved.about))
        if isinstance(saved.history.get("command"), str):
            again.append(saved.history["command"])
    words = ["onsei", "classification", "evaluate", str(options.model), "--test-manifest", str(options.test_manifest)]
    again.append(shlex.join([*words, "--report", Path(options.report or "report.html").name]))
    facts["measured with"] = f"onsei {__version__}, {options.dtype}"
    return facts, again


def _trained(history: Mapping[str, Any], about: About) -> dict[str, str]:
    facts = {}
    clock = [f"{history[key]:,} {key}" for key in ("epochs", "steps") if isinstance(history.get(key), int)]
    if isinstance(history.get("seconds"), (int, float)):
        clock.append(f"{history['seconds'] / 60:.1f} min")
    if clock:
        facts["trained"] = ", ".join(clock)
    data = history.get("data")
    if isinstance(data, Mapping):
        facts["trained on"] = ", ".join(f"{key}: {value}" for key, value in data.items())
    if history.get("started"):
        facts["started"] = str(history["started"])
    if about.base_models:
        facts["base model"] = ", ".join(about.base_models)
    facts["license"] = about.of_weights
    return facts


def _listed(labels: list[str], most: int = 30) -> str:
    more = f" and {len(labels) - most} more" if len(labels) > most else ""
    return f"{len(labels)}: {', '.join(labels[:most])}{more}"
