"""``onsei inspect MODEL``: all that a model folder, or a checkpoint of another toolkit, holds, as text or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onsei.config import Positional, PositiveInt, options

if TYPE_CHECKING:
    from onsei.hub.store import ModelFolder
    from onsei.hub.weights import TensorInfo

_RUN_FOLDERS = ("checkpoints",)


@options
class Inspect:
    """Print what a model is, how it was trained, what it reached and what it weighs."""

    model: Positional[str]
    """Model folder, Hub repository as user/name, or a checkpoint file of another toolkit."""
    json: bool = False
    """Print one JSON object instead of text."""
    depth: PositiveInt = 2
    """Levels of the network's module names to show."""
    revision: str | None = None
    """Branch, tag or commit of a Hub repository."""


@dataclass(frozen=True)
class Part:
    """A module of the network, as far as tensor names tell."""

    name: str
    """Prefix of its tensors' names."""
    parameters: int
    """Values in its tensors, without running statistics."""
    statistics: int
    """Values in running statistics (batch norm), which are not learned by gradients."""
    tensors: int


def inspect(options: Inspect) -> None:
    """Print the model that ``options`` names. Errors as in ``onsei.hub.store.open`` or ``checkpoints.read``."""
    from onsei.hub import glance, store

    if Path(options.model).is_file():
        found = glance.summarize(Path(options.model), options.depth)
        text = glance.render(found)
    else:
        found = summarize(store.open(options.model, revision=options.revision), options.depth)
        text = render(found)
    # Without escapes, a hostile model could steer the terminal through its labels.
    print(json.dumps(found, ensure_ascii=False, indent=1) if options.json else _printable(text))


def summarize(model: ModelFolder, depth: int = 2) -> dict[str, Any]:
    """Everything ``onsei inspect`` knows of ``model``, as JSON values. Reads the weights' header, not the weights."""
    from onsei.hub import store, weights

    tensors = weights.describe(model.path / store.WEIGHTS_FILE)
    whole = _part("", tensors)
    return {
        "path": str(model.path),
        "system": model.system,
        "stage": model.stage,
        "parameters": whole.parameters,
        "statistics": whole.statistics,
        "dtypes": sorted({info.dtype for info in tensors.values()}),
        "network": [asdict(part) for part in parts(tensors, depth)],
        "config": model.config,
        "labels": list(model.labels),
        "history": model.history,
        "versions": model.versions,
        "files": _files(model.path),
    }


def parts(tensors: Mapping[str, TensorInfo], depth: int = 2) -> list[Part]:
    """Modules by name prefix, outer before inner, up to ``depth`` levels; ``rnn.2`` comes before ``rnn.10``."""
    prefixes: set[tuple[str, ...]] = set()
    for name in tensors:
        modules = name.split(".")[:-1] or [name]
        prefixes.update(tuple(modules[:level]) for level in range(1, min(depth, len(modules)) + 1))
    ordered = sorted(prefixes, key=lambda prefix: [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in prefix])
    return [_part(".".join(prefix), tensors) for prefix in ordered]


def render(found: Mapping[str, Any]) -> str:
    """The text of ``onsei inspect`` for what ``summarize`` found."""
    size = sum(found["files"].values())
    stats = f" + {found['statistics']:,} running statistics" if found["statistics"] else ""
    title = f"{found['path']}: {found['system']}, stage {found['stage']}, {size_text(size)}"
    history = dict(found["history"])
    metrics = history.pop("metrics", None) or {}
    labels = found["labels"]
    sections = [
        ("metrics", list(tree(metrics)) or ["none recorded"]),
        (
            "network",
            [
                f"{found['parameters']:,} parameters{stats}, {' '.join(found['dtypes'])}",
                *columns(network_rows(found["network"])),
            ],
        ),
        ("config", list(tree(found["config"])) or ["empty"]),
        ("labels", [f"{len(labels)}: {' '.join(_label(x) for x in labels[:200])}{' …' if len(labels) > 200 else ''}"]),
        ("history", list(tree(history)) or ["none recorded"]),
        ("versions", list(tree(found["versions"]))),
        ("files", columns([(name, size_text(count)) for name, count in found["files"].items()])),
    ]
    lines = [title]
    for name, content in sections:
        if name != "labels" or labels:
            lines += ["", name, *(f"  {line}" for line in content)]
    return "\n".join(lines)


def whole_part(tensors: Mapping[str, TensorInfo]) -> Part:
    """The network as one part."""
    return _part("", tensors)


def _part(prefix: str, tensors: Mapping[str, TensorInfo]) -> Part:
    from onsei.hub import weights

    inside = {n: i for n, i in tensors.items() if not prefix or n == prefix or n.startswith(prefix + ".")}
    statistics = sum(info.size for name, info in inside.items() if weights.is_statistic(name))
    return Part(prefix, sum(info.size for info in inside.values()) - statistics, statistics, len(inside))


def network_rows(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Names, set in by their depth, and parameters of ``parts`` as dicts."""
    return [("  " * r["name"].count(".") + r["name"].rpartition(".")[2], f"{r['parameters']:,}") for r in rows]


def _files(folder: Path) -> dict[str, int]:
    """Sizes in bytes of the folder's files, those of a run's checkpoints left out."""
    found = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    relative = {path.relative_to(folder): path.stat().st_size for path in found}
    return {p.as_posix(): size for p, size in relative.items() if p.parts[0] not in _RUN_FOLDERS and p.name[0] != "."}


def tree(value: Mapping[str, Any], level: int = 0) -> Iterator[str]:
    """Lines of a nested mapping."""
    width = max((len(str(k)) for k, v in value.items() if not (isinstance(v, Mapping) and v)), default=0)
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            yield "  " * level + str(key)
            yield from tree(item, level + 1)
        else:
            yield f"{'  ' * level}{key!s:<{width}}  {scalar(item)}"


def scalar(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _label(text: str) -> str:
    return text if text.strip() and text.isprintable() else repr(text)


def columns(rows: list[tuple[str, str]]) -> list[str]:
    """Lines of two columns."""
    left = max((len(name) for name, _ in rows), default=0)
    right = max((len(value) for _, value in rows), default=0)
    return [f"{name:<{left}}  {value:>{right}}" for name, value in rows]


def size_text(count: int) -> str:
    """A size in bytes for people."""
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}" if unit != "B" else f"{count} B"
        size /= 1000
    return f"{size:.3g} GB"


def _printable(text: str) -> str:
    return "".join(c if c == "\n" or c.isprintable() else repr(c)[1:-1] for c in text)
