"""Write docs/reference from the code: every verb's options, the tools, the model folder.

python scripts/reference.py            # write the pages
python scripts/reference.py --check    # exit with 1 where a page is not what the code says
"""

from __future__ import annotations

import ast
import dataclasses
import itertools
import json
import sys
import typing
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from onsei.cli import SINGLE, TOOLS
from onsei.config import FieldRow, Positional, json_schema, list_fields, read_yaml
from onsei.system import System, Verb, resolve
from onsei.systems import systems

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"
_NOTE = "<!-- Written by `make docs` from the code; change the docstrings there, not this page. -->"
_POSITIONAL = Positional[int].__metadata__[0]  # type: ignore[attr-defined]
SAVED: dict[str, str | tuple[str, ...]] = {
    "recognition": ("features", "model", "encoder", "case", "units", "script"),
    "classification": ("features", "model", "encoder"),
    "vocoder": ("mel", "network"),
    "articulation": "onsei.systems.articulation.config.saved:Saved",
    "song": "onsei.systems.song.config.saved:Saved",
    "translation pretrain": ("network", "task"),
    "translation fit-units": ("features", "units"),
    "translation ground": ("units", "image", "contrast", "embedding_dim", "num_clusters"),
    "translation train": ("units", "image", "pivot", "language", "num_clusters"),
}
"""What of a system's or stage's options a model is saved with, or the class of all that; a test compares it
with an onsei.json."""
_SWITCHES = "A switch whose default is `true` is turned off by `--no-NAME`; `_` and `-` are the same in option names."


def main(words: Sequence[str]) -> int:
    """Write or check all pages; returns the exit status."""
    stale = []
    for name, text in pages().items():
        path = FOLDER / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in words:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
    if "--check" in words:
        print("\n".join(f"docs/reference/{name}: stale; run `make docs`" for name in stale) or "docs/reference: fresh")
        return 1 if stale else 0
    print("\n".join(f"wrote docs/reference/{name}" for name in stale) or "docs/reference: nothing to change")
    return 0


def pages() -> dict[str, str]:
    """Text of every page by file name."""
    found = {f"{system.name}.md": _system_page(system) for system in systems()}
    return {**found, "tools.md": _tools_page(), "model-folder.md": _model_page()}


def _system_page(system: System) -> str:
    parts = [_NOTE, f"# onsei {system.name}", f"{_sentence(system.summary)} {_SWITCHES}"]
    for verb in system.verbs:
        parts += _verb(f"onsei {system.name}", verb)
        if verb.recipes:
            parts += ["### Recipes", _recipes(system.name, resolve(verb.options))]
    for title, path in (("Request", system.request), ("Result", system.result)):
        module, _, name = path.partition(":")
        parts += [f"## {title}", f"`from {module} import {name}`: {_doc(resolve(path))}", _fields(resolve(path))]
        for part in _parts(resolve(path)):
            parts += [f"### {part.__name__}", _doc(part), _fields(part)]
    return _joined(parts)


def _tools_page() -> str:
    parts = [_NOTE, "# Tools", f"Commands that serve all systems. {_SWITCHES}"]
    for group in TOOLS:
        for verb in group.verbs:
            parts += _verb(f"onsei {group.name}", verb)
    for verb in SINGLE:
        parts += _verb("onsei", verb)
    return _joined(parts)


def _model_page() -> str:
    parts = [
        _NOTE,
        "# The model folder",
        "A trained model is a folder. `onsei.load(folder)` opens it, `onsei inspect folder` prints it.",
        _table(
            ("file", "holds"),
            [
                ("`onsei.json`", "all but the weights; its keys are below"),
                ("`model.safetensors`", "the weights, by parameter name"),
                ("`README.md`", "the model card: results, the command that trained it, labels, limits"),
            ],
        ),
        "The folder of a training run holds these files beside the run's own (`config.yaml`, `metrics.jsonl`, "
        "`quarantine.jsonl`, `checkpoints/`), which the model does not need. No file is a pickle, and none is read.",
        "## onsei.json",
        _table(("key", "holds"), [("`format`", "Version of this layout, a whole number."), *_entries()]),
    ]
    for system in systems():
        for stage, path in system.stages.items():
            keys = SAVED.get(f"{system.name} {stage}") or SAVED[system.name]
            schema = json.dumps(_saved_schema(resolve(path), keys), ensure_ascii=False, indent=1)
            about = "JSON schema of `config`. Their meaning as options: [reference](recognition.md)."
            about = about.replace("recognition", system.name)
            parts += [f"## config of {system.name}, stage {stage}", about, f"```json\n{schema}\n```"]
    return _joined(parts)


def _entries() -> Iterator[tuple[str, str]]:
    from onsei.hub.store import ModelFolder

    source = Path(str(resolve("onsei.hub:__path__")[0])) / "store.py"
    docs = _attribute_docs(source, "ModelFolder")
    for field in dataclasses.fields(ModelFolder):
        if field.name != "path":
            yield f"`{field.name}`", docs.get(field.name, "")


def _attribute_docs(source: Path, name: str) -> dict[str, str]:
    """The strings under the fields of class ``name``: plain dataclasses do not keep them."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name).body
    docs = {}
    for field, after in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            docs[ast.unparse(field.target)] = " ".join(str(after.value.value).split()).replace("``", "`")
    return docs


def _saved_schema(cls: type[Any], keys: str | Sequence[str]) -> dict[str, Any]:
    """JSON schema of ``cls`` with only the fields ``keys`` and the groups that these need; or of the class ``keys``."""
    if isinstance(keys, str):
        return json_schema(resolve(keys))
    schema = json_schema(cls)
    properties = {key: schema["properties"][key] for key in keys}
    used = {name: group for name, group in schema["$defs"].items() if f'/{name}"' in json.dumps(properties)}
    return {"$defs": used, "type": "object", "properties": properties}


def _verb(before: str, verb: Verb) -> list[str]:
    cls = resolve(verb.options)
    recipe = " [RECIPE]" if verb.recipes else ""
    words = "".join(f" {_word(row, hints)}" for row, hints in _rows(cls) if _is_word(hints))
    usage = f"```\n{before} {verb.name}{recipe}{words} [--option value …]\n```"
    return [f"## {before} {verb.name}", _doc(cls), usage, _options(cls)]


def _options(cls: type[Any]) -> str:
    rows = list(_rows(cls))
    leaves = Counter(row.path.rpartition(".")[2] for row, _ in rows)
    cells = []
    for row, hints in rows:
        leaf = row.path.rpartition(".")[2]
        flag = "--" + (leaf if leaves[leaf] == 1 else row.path).replace("_", "-")
        aliases = [alias for hint in hints for alias in getattr(hint, "aliases", None) or ()]
        shown = _word(row, hints) if _is_word(hints) else ", ".join([flag, *aliases])
        cells.append((f"`{shown}`", _type(row), _default(row, cls), row.doc))
    return _table(("option", "type", "default", "meaning"), cells)


def _recipes(system: str, cls: type[Any]) -> str:
    folder = Path(str(files(f"onsei.systems.{system}"))) / "recipes"
    found = {path.stem: dict(_leaves(read_yaml(path))) for path in sorted(folder.glob("*.yaml"))}
    paths = [row.path for row in list_fields(cls) if any(row.path in recipe for recipe in found.values())]
    defaults = {row.path: row.default for row in list_fields(cls)}
    text = (
        "A recipe holds only differences from the defaults above. `base` is taken where none is named. A YAML file of "
        "your own may stand in its place; it may begin with `extends:` and the path of another."
    )
    rows = [(f"`{path}`", *(f"`{r[path] if path in r else defaults[path]}`" for r in found.values())) for path in paths]
    return f"{text}\n\n{_table(('option', *found), rows)}"


def _leaves(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, json.dumps(value) if isinstance(value, bool | list) else value


def _fields(cls: type[Any]) -> str:
    return _table(
        ("field", "type", "default", "meaning"),
        [(f"`{row.path}`", _type(row), _default(row, cls), row.doc) for row in list_fields(cls)],
    )


def _rows(cls: type[Any]) -> Iterator[tuple[FieldRow, tuple[Any, ...]]]:
    """Every leaf field with the markers of its annotation."""
    for row in list_fields(cls):
        owner, leaf = _owner(cls, row)
        hint = typing.get_type_hints(owner, include_extras=True)[leaf]
        yield row, getattr(hint, "__metadata__", ())


def _owner(cls: type[Any], row: FieldRow) -> tuple[Any, str]:
    """The group that declares the field, and the field's name in it."""
    owner: Any = cls
    *groups, leaf = row.path.split(".")
    for group in groups:
        owner = typing.get_type_hints(owner)[group]
    return owner, leaf


def _is_word(hints: tuple[Any, ...]) -> bool:
    return _POSITIONAL in hints


def _word(row: FieldRow, hints: tuple[Any, ...]) -> str:
    named = next((hint.metavar for hint in hints if getattr(hint, "metavar", None)), None)
    return named or row.path.upper() + ("…" if row.type.startswith("list") else "")


def _type(row: FieldRow) -> str:
    """``path | null`` is a path that may be left out; words to choose from are shown as code."""
    head = "list of " if row.type.startswith("list of ") else ""
    kinds = [kind for kind in row.type.removeprefix(head).split(" | ") if kind != "null"]
    if kinds == ["any"]:
        return "list"
    plain = {"path", "number", "integer", "boolean", "string"}
    return head + " ".join(kind if kind in plain else f"`{kind}`" for kind in kinds)


def _parts(cls: type[Any]) -> list[type[Any]]:
    """Dataclasses of which ``cls`` holds lists."""
    held = [arg for hint in typing.get_type_hints(cls).values() for arg in typing.get_args(hint)]
    return list(dict.fromkeys(arg for arg in held if isinstance(arg, type) and dataclasses.is_dataclass(arg)))


def _default(row: FieldRow, cls: type[Any]) -> str:
    if row.default in ("", "null", "[]"):
        owner, leaf = _owner(cls, row)
        field = next(f for f in dataclasses.fields(owner) if f.name == leaf)
        missing = dataclasses.MISSING
        return "required" if field.default is missing and field.default_factory is missing else ""
    return f"`{row.default}`"


def _doc(cls: type[Any]) -> str:
    return " ".join((cls.__doc__ or "").split()).replace("``", "`")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    return "\n".join(["| " + " | ".join(header) + " |", "| " + " | ".join("---" for _ in header) + " |", *lines])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|")


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
