"""The model card: README.md of a model folder, for people and for the Hub's index."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from onsei.hub.about import UNKNOWN, About, Measured

_HUB_NAMES = {"accuracy": "accuracy", "macro_f1": "f1"}
"""Rates that the Hub's index has as shares of 1, and its names for them."""
_CLASSES = 100
_DEFAULT_LIMITS = (
    "The results hold for the data named above; other voices, rooms, microphones and languages were not measured.",
)


def model_card(
    *,
    name: str,
    system: str,
    stage: str = "train",
    history: Mapping[str, Any] | None = None,
    versions: Mapping[str, str] | None = None,
    labels: Sequence[str] = (),
    parameters: int | None = None,
    about: About | None = None,
    measured: Sequence[Measured] = (),
    address: str = "",
    stock: bool = False,
) -> str:
    """Model card in Markdown with a YAML head as the Hub reads it.

    Args:
        name: the model's name.
        system: the onsei system.
        stage: training stage.
        history: as in the model folder (metrics, epochs, steps, seconds, command, data, started, ended).
        versions: libraries that wrote it.
        labels: meaning of the outputs.
        parameters: how many.
        about: what it is, where it comes from, its license and limits; an honest default of limits when empty.
        measured: evaluations, each with the name of its data; else the card has what training knew.
        address: the Hub repository that it will lie in, or empty.
        stock: whether transformers opens it too.
    """
    past, known = history or {}, about or About()
    metrics = _numbers(past.get("metrics"))
    data = _data_rows(past.get("data"))
    license = known.of_weights
    head = _head(name, system, known, _results(measured, metrics, data, known.task or system))
    if known.data_license:
        data = [*data, ("license", known.data_license)]
    if known.datasets:
        data = [*data, ("on the Hub", ", ".join(known.datasets))]
    limits = [*(known.limits or _DEFAULT_LIMITS), *_license_note(license)]
    body = [
        f"# {_line(name)}",
        known.summary or f"A {system} model (stage `{stage}`) made with onsei.",
        *(_evaluation(one) for one in measured),
        _table(
            "Results" if not measured else "Validation, in training",
            ("metric", "value"),
            [(key, f"{value:.6g}") for key, value in metrics.items()],
        ),
        _section("Use", _use(address, known.task if stock else "")),
        _section("Training", _training(past)),
        _section("Base model", _base(known)),
        _table("Data", ("what", "which"), data),
        _section("Network", _network(parameters, labels)),
        _section("Limits", "\n".join(f"- {limit}" for limit in limits)),
        _section("Versions", ", ".join(f"{key} {value}" for key, value in (versions or {}).items())),
    ]
    return head + "\n\n".join(part for part in body if part) + "\n"


def _head(name: str, system: str, about: About, results: Sequence[Mapping[str, Any]]) -> str:
    """YAML written as JSON values, which YAML 1.2 includes: no text can break out of its field."""
    fields: dict[str, Any] = {"library_name": "onsei", "license": about.of_weights, "tags": ["onsei", "audio", system]}
    more = {
        "pipeline_tag": about.task, "language": about.languages, "base_model": about.base_models,
        "datasets": about.datasets,
    }  # fmt: skip
    fields |= {key: list(value) if isinstance(value, tuple) else value for key, value in more.items() if value}
    if results:
        fields["metrics"] = sorted({metric["type"] for result in results for metric in result["metrics"]})
        fields["model-index"] = [{"name": name, "results": list(results)}]
    lines = [f"{key}: {json.dumps(value, ensure_ascii=True)}" for key, value in fields.items()]
    return "\n".join(["---", *lines, "---", "", ""])


def _results(
    measured: Sequence[Measured], metrics: Mapping[str, float], data: Sequence[tuple[str, str]], task: str
) -> list[dict[str, Any]]:
    """What the Hub's index shows: evaluations where there are any, else the numbers of training."""
    if not measured and metrics:
        where = next((which for what, which in data if what in ("test", "val", "dev")), UNKNOWN)
        shown = [{"type": k.rpartition("/")[2], "name": k, "value": v} for k, v in metrics.items()]
        return [{"task": {"type": task}, "dataset": {"type": UNKNOWN, "name": where}, "metrics": shown}]
    found = []
    for one in measured:
        shown = [
            {"type": _HUB_NAMES.get(key, key), "name": key, "value": value / 100 if key in _HUB_NAMES else value}
            for key, value in one.main.items()
        ]
        place = {"type": one.words.get("dataset", UNKNOWN), "name": one.data}
        if one.words.get("split"):
            place["split"] = one.words["split"]
        found.append({"task": {"type": task}, "dataset": place, "metrics": shown})
    return [result for result in found if result["metrics"]]


def _evaluation(one: Measured) -> str:
    """An evaluation as tables: rates, and what each class reached."""
    rows = list(one.rates.items())
    noted = [(key, value) for key, value in one.words.items() if key not in ("data", "dataset")]
    text = _table(f"Results on {_cell(one.data)}", ("metric", "value"), [*rows, *noted])
    text += "\n\nRates are in percent, with 95 % intervals in brackets."
    if one.classes:
        names = list(next(iter(one.classes.values())))
        lines = [(label, *(f"{row.get(name, math.nan):.4g}" for name in names)) for label, row in one.classes.items()]
        text += "\n\n" + _rows(("class", *names), lines[:_CLASSES])
        if len(lines) > _CLASSES:
            text += f"\n\n… and {len(lines) - _CLASSES} more classes."
    return text


def _use(address: str, task: str) -> str:
    place = address or "path/to/this/folder"
    note = "" if address else "  # or its Hub id"
    parts = [f"```python\nimport onsei\n\nmodel = onsei.load({json.dumps(place)}){note}\n```"]
    if task:
        parts.append(
            "transformers opens it too:\n\n```python\nimport onsei  # makes its networks known\n"
            f"from transformers import pipeline\n\npipe = pipeline({json.dumps(task)}, model={json.dumps(place)})\n```"
        )
    return "\n\n".join(parts)


def _base(about: About) -> str:
    if not about.base_models:
        return ""
    names = ", ".join(f"[{name}](https://huggingface.co/{name})" for name in map(_line, about.base_models))
    return f"Fine-tuned from {names}, license: {_line(about.base_license) or UNKNOWN}."


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
    return ["The license is unknown: ask whoever trained it before using it."] if license == UNKNOWN else []


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
    return _section(title, _rows(header, rows))


def _rows(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    head = ["| " + " | ".join(_cell(cell) for cell in header) + " |", "|" + " --- |" * len(header)]
    return "\n".join([*head, *lines]) if lines else ""


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
