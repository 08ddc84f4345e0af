"""The model card: README.md of a model folder, for people and for the Hub's index."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_DEFAULT_LIMITS = (
    "The results hold for the data named above; other voices, rooms, microphones and languages were not measured.",
)


def model_card(
    *,
    name: str,
    system: str,
    stage: str = "train",
    summary: str = "",
    history: Mapping[str, Any] | None = None,
    versions: Mapping[str, str] | None = None,
    labels: Sequence[str] = (),
    parameters: int | None = None,
    license: str = "unknown",
    languages: Sequence[str] = (),
    task: str = "",
    base_models: Sequence[str] = (),
    limits: Sequence[str] = (),
) -> str:
    """Model card in Markdown with a YAML head as the Hub reads it.

    Args:
        name: the model's name.
        system: the onsei system.
        stage: training stage.
        summary: one or two sentences on what it does.
        history: as in the model folder (metrics, epochs, steps, seconds, command, data, started, ended).
        versions: libraries that wrote it.
        labels: meaning of the outputs.
        parameters: how many.
        license: SPDX-like id, derived from base weights and data by the caller.
        languages: ISO 639 codes.
        task: the Hub's pipeline tag, such as ``automatic-speech-recognition``.
        base_models: Hub ids of the weights that training started from.
        limits: what the model cannot do, one sentence each; an honest default when empty.
    """
    past = history or {}
    metrics = _numbers(past.get("metrics"))
    data = _data_rows(past.get("data"))
    head = _head(name, system, task, license, languages, base_models, metrics, data)
    body = [
        f"# {_line(name)}",
        summary or f"A {system} model (stage `{stage}`) made with onsei.",
        _table("Results", ("metric", "value"), [(key, f"{value:.6g}") for key, value in metrics.items()]),
        _section("Use", '```python\nimport onsei\n\nmodel = onsei.load("path/to/this/folder")  # or its Hub id\n```'),
        _section("Training", _training(past)),
        _table("Data", ("what", "which"), data),
        _section("Network", _network(parameters, labels)),
        _section(
            "Limits", "\n".join(f"- {limit}" for limit in [*(limits or _DEFAULT_LIMITS), *_license_note(license)])
        ),
        _section("Versions", ", ".join(f"{key} {value}" for key, value in (versions or {}).items())),
    ]
    return head + "\n\n".join(part for part in body if part) + "\n"


def _head(
    name: str,
    system: str,
    task: str,
    license: str,
    languages: Sequence[str],
    base_models: Sequence[str],
    metrics: Mapping[str, float],
    data: Sequence[tuple[str, str]],
) -> str:
    """YAML written as JSON values, which YAML 1.2 includes: no text can break out of its field."""
    fields: dict[str, Any] = {"library_name": "onsei", "license": license, "tags": ["onsei", "audio", system]}
    if task:
        fields["pipeline_tag"] = task
    if languages:
        fields["language"] = list(languages)
    if base_models:
        fields["base_model"] = list(base_models)
    if metrics:
        fields["metrics"] = sorted({key.rpartition("/")[2] for key in metrics})
        measured = next((which for what, which in data if what in ("test", "val", "dev")), "unknown")
        result = {
            "task": {"type": task or system},
            "dataset": {"type": "unknown", "name": measured},
            "metrics": [{"type": k.rpartition("/")[2], "name": k, "value": v} for k, v in metrics.items()],
        }
        fields["model-index"] = [{"name": name, "results": [result]}]
    lines = [f"{key}: {json.dumps(value, ensure_ascii=True)}" for key, value in fields.items()]
    return "\n".join(["---", *lines, "---", "", ""])


def _training(past: Mapping[str, Any]) -> str:
    facts = []
    for key, unit in (("epochs", "epochs"), ("steps", "steps")):
        if past.get(key) is not None:
            facts.append(f"{past[key]} {unit}")
    if isinstance(past.get("seconds"), (int, float)):
        facts.append(f"{_duration(past['seconds'])} of training")
    dates = [str(past[key]) for key in ("started", "ended") if past.get(key)] or list(
        map(str, _listed(past.get("dates")))
    )
    if dates:
        facts.append(_line(" to ".join(dates)))
    parts = [", ".join(facts) + "."] if facts else []
    if past.get("finetuned_from"):
        parts.append(f"It began with the weights of {_code(str(past['finetuned_from']))}.")
    if past.get("command"):
        command = str(past["command"])
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", command)), default=0))
        parts.append(f"The command that trained it:\n\n{fence}sh\n{command}\n{fence}")
    return "\n\n".join(parts)


def _network(parameters: int | None, labels: Sequence[str]) -> str:
    facts = [f"{parameters:,} parameters."] if parameters is not None else []
    if labels:
        shown = " ".join(_code(label) for label in labels[:40])
        facts.append(f"{len(labels)} labels: {shown}{' …' if len(labels) > 40 else ''}")
    return " ".join(facts)


def _license_note(license: str) -> list[str]:
    return ["The license is unknown: ask whoever trained it before using it."] if license == "unknown" else []


def _data_rows(data: Any) -> list[tuple[str, str]]:
    if isinstance(data, Mapping):
        return [(str(key), value if isinstance(value, str) else json.dumps(value)) for key, value in data.items()]
    return [("train", str(item)) for item in _listed(data)]


def _listed(value: Any) -> list[Any]:
    return [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]


def _numbers(metrics: Any) -> dict[str, float]:
    found = metrics.items() if isinstance(metrics, Mapping) else ()
    return {str(k): v for k, v in found if isinstance(v, (int, float)) and math.isfinite(v)}


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text}" if text else ""


def _table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    if not lines:
        return ""
    return _section(title, "\n".join(["| " + " | ".join(header) + " |", "|" + " --- |" * len(header), *lines]))


def _cell(text: str) -> str:
    return _line(text).replace("|", "\\|").replace("<", "&lt;")


def _code(text: str) -> str:
    shown = text if text.strip() and text.isprintable() else repr(text)
    return f"`` {shown} ``" if "`" in shown else f"`{shown}`"


def _line(text: str) -> str:
    return " ".join(str(text).split())


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
