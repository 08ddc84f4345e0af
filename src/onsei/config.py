"""Options: one frozen dataclass is read as YAML recipe, command-line flags, HTTP body, JSON schema and docs table."""

from __future__ import annotations

import dataclasses
import difflib
import io
import json
import sys
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar, cast, dataclass_transform

import tyro
from pydantic import AfterValidator, ConfigDict, TypeAdapter, ValidationError
from pydantic import Field as _Field
from tyro.conf import Positional

from onsei.errors import ConfigError
from onsei.former import rewritten

__all__ = [
    "FieldRow",
    "Fraction",
    "Indices",
    "NamedSpan",
    "NonNegative",
    "NonNegativeInt",
    "Positional",
    "Positive",
    "PositiveInt",
    "Repeated",
    "Span",
    "flag",
    "from_dict",
    "from_json",
    "from_recipe",
    "from_values",
    "from_yaml",
    "given",
    "json_schema",
    "list_fields",
    "merged",
    "options",
    "parse_flags",
    "read_yaml",
    "shown_as",
    "span",
    "to_dict",
    "to_yaml",
]

T = TypeVar("T")
Positive = Annotated[float, _Field(gt=0)]
NonNegative = Annotated[float, _Field(ge=0)]
Fraction = Annotated[float, _Field(ge=0, le=1)]
PositiveInt = Annotated[int, _Field(gt=0)]
NonNegativeInt = Annotated[int, _Field(ge=0)]
Indices = Annotated[str, _Field(pattern=r"^(\d+(,\d+)*)?$")]
"""Whole numbers from 0 with commas between, or nothing."""
Repeated: Any = tyro.conf.UseAppendAction
"""For ``Annotated``: a tuple whose flag is written once for each of its values."""


class Span(NamedTuple):
    """A named range."""

    name: str
    low: float
    high: float


def span(text: str) -> Span:
    """Read ``NAME:LOW-HIGH``, such as ``F1:300-900``, as every door has checked it."""
    name, _, ends = text.partition(":")
    low, _, high = ends.partition("-")
    return Span(name, float(low), float(high))


def _rising(text: str) -> str:
    if not span(text).low < span(text).high:
        raise ValueError("a lower end below the upper one")
    return text


NamedSpan = Annotated[str, _Field(pattern=r"^[A-Za-z0-9_]+:\d+(\.\d+)?-\d+(\.\d+)?$"), AfterValidator(_rising)]
"""``NAME:LOW-HIGH``; read it by ``span``."""

_RULES = ConfigDict(extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False, ser_json_inf_nan="constants")
_EXTENDS = "extends"


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def options(cls: type[T]) -> type[T]:
    """Make ``cls`` a frozen dataclass that every door can read and that forbids unknown keys."""
    cls.__pydantic_config__ = _RULES  # type: ignore[attr-defined]
    return dataclass(frozen=True)(cls)


def flag(*spellings: str) -> Any:
    """Further spellings of a flag, for ``Annotated``: ``lr: Annotated[float, flag("--learning-rate")]``."""
    return tyro.conf.arg(aliases=spellings)


def shown_as(name: str) -> Any:
    """What help calls a word without a flag: ``model: Annotated[Positional[str], shown_as("MODEL")]``."""
    return tyro.conf.arg(metavar=name)


def to_dict(config: Any) -> dict[str, Any]:
    """JSON values of ``config``, nested groups as mappings."""
    return cast(dict[str, Any], json.loads(_adapter(type(config)).dump_json(config)))


def given(config: Any) -> dict[str, Any]:
    """JSON values of the fields of ``config`` that are set: those left open for flags (``tyro.MISSING``) are not."""
    open_ = {field.name for field in dataclasses.fields(config) if getattr(config, field.name) is tyro.MISSING}
    hints = typing.get_type_hints(type(config), include_extras=True)
    return {
        field.name: json.loads(TypeAdapter(hints[field.name]).dump_json(getattr(config, field.name)))
        for field in dataclasses.fields(config)
        if field.name not in open_
    }


def to_yaml(config: Any) -> str:
    """``config`` as a YAML document that ``from_yaml`` reads back."""
    stream = io.StringIO()
    _yaml().dump(to_dict(config), stream)
    return stream.getvalue()


def json_schema(cls: type[Any]) -> dict[str, Any]:
    """JSON schema of ``cls``, with the fields' docstrings as descriptions, also of fields that it inherits."""
    schema = _adapter(cls).json_schema()
    for base in cls.__mro__[1:]:
        if dataclasses.is_dataclass(base):  # pydantic reads docstrings off the class's own source only
            for name, inherited in json_schema(base)["properties"].items():
                if "description" in inherited:
                    schema["properties"][name].setdefault("description", inherited["description"])
    return schema


def from_json(cls: type[T], text: str | bytes, source: str = "request") -> T:
    """Read ``cls`` from a JSON object.

    Raises:
        ConfigError: unknown, missing or ill-typed fields; all of them, with dotted paths.
    """
    try:
        return cast(T, _adapter(cls).validate_json(text, strict=True))
    except ValidationError as error:
        raise _explained(cls, error.errors(include_url=False), source) from None


def from_dict(cls: type[T], values: Mapping[str, Any], source: str = "options") -> T:
    """Read ``cls`` from a mapping of JSON values. Errors as in ``from_json``."""
    return from_json(cls, json.dumps(values, default=str), source)


def from_yaml(cls: type[T], path: Path) -> T:
    """Read ``cls`` from a YAML 1.2 file, following ``extends:``. Errors as in ``from_json``."""
    return from_dict(cls, read_yaml(Path(path)), str(path))


def from_recipe(cls: type[T], path: Path, library: Path | None = None, section: str = "") -> T:
    """Read a recipe, which may leave out required top-level fields: these stay open for flags (``tyro.MISSING``).

    ``extends: NAME`` names a file beside it, or one in the folder ``library``. Of a recipe with a section a stage,
    ``section`` is read; one whose keys are fields of ``cls`` is read whole.
    """
    values, source = read_yaml(Path(path), library), str(path)
    names = {f.name for f in dataclasses.fields(cast(Any, cls))}
    if section and not values.keys() & names:
        part = values.get(section) or {}
        if not isinstance(part, dict):
            raise ConfigError(f"{source}: {section}: expected `key: value` lines", "see `--help` for the keys")
        values, source = part, f"{source}: {section}"
    return from_values(cls, values, source)


def from_values(cls: type[T], values: Mapping[str, Any], source: str) -> T:
    """Like ``from_recipe``, of a mapping of JSON values that comes from ``source``."""
    try:
        _adapter(cls).validate_json(json.dumps(values, default=str), strict=True)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        faults = [fault for fault in faults if not (fault["type"].startswith("missing") and len(fault["loc"]) == 1)]
        if faults:
            raise _explained(cls, faults, source) from None
    hints = typing.get_type_hints(cls, include_extras=True)
    given = {k: TypeAdapter(hints[k]).validate_json(json.dumps(v, default=str), strict=True) for k, v in values.items()}
    return cls(**given, **{name: tyro.MISSING for name in _required(cls) if name not in given})


def read_yaml(path: Path, library: Path | None = None) -> dict[str, Any]:
    """The mapping in a YAML 1.2 file, merged over the file or sibling recipe that its ``extends:`` names.

    Raises:
        ConfigError: the file is missing, is not YAML, is not a mapping, or extends itself.
    """
    return _read_yaml(path, library, ())


def parse_flags(cls: type[T], args: Sequence[str], *, prog: str, default: T | None = None) -> T:
    """Read ``cls`` from command-line words over ``default``; exits with a message where they do not fit.

    A flag may be written without its group where the name is unique (``--epochs`` for ``--training.epochs``), with
    underscores or hyphens. Flags that the options call ``Former`` become today's.
    """
    words = _with_groups(cls, rewritten(cls, args))
    given = {} if default is None else {"default": default}
    chosen: T = tyro.cli(cls, prog=prog, args=words, **given)  # type: ignore[call-overload]
    return from_dict(cls, to_dict(chosen), source="flags")


@dataclass(frozen=True)
class FieldRow:
    """One field of a dataclass tree, for reference tables and completion."""

    path: str
    """Dotted path."""
    type: str
    default: str
    """As YAML would show it; empty where required."""
    doc: str


def list_fields(cls: type[Any]) -> list[FieldRow]:
    """All leaf fields of ``cls`` in order, groups opened."""
    schema = json_schema(cls)
    return list(_walk_schema(schema, schema.get("$defs", {}), "", {}))


def _walk_schema(node: Mapping[str, Any], defs: Mapping[str, Any], prefix: str, default: Any) -> Iterator[FieldRow]:
    for name, prop in node["properties"].items():
        value = prop.get("default", default.get(name, "") if isinstance(default, dict) else "")
        group = _group_of(prop, defs)
        if group is not None:
            yield from _walk_schema(group, defs, f"{prefix}{name}.", value)
            continue
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        required = name in node.get("required", ())
        yield FieldRow(prefix + name, _type_name(prop), "" if required else shown, prop.get("description", ""))


def _group_of(prop: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any] | None:
    reference = prop.get("$ref", "").rpartition("/")[2]
    group = defs.get(reference)
    return group if group is not None and "properties" in group else None


def _type_name(prop: Mapping[str, Any]) -> str:
    if "enum" in prop:
        return " | ".join(str(v) for v in prop["enum"])
    if "anyOf" in prop:
        return " | ".join(_type_name(p) for p in prop["anyOf"])
    if prop.get("type") == "array":
        return f"list of {_type_name(prop.get('items') or {})}"
    return str(prop.get("format") or prop.get("const") or prop.get("type") or "any")


def _adapter(cls: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(cls)


def _yaml() -> Any:
    from ruamel.yaml import YAML

    yaml: Any = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False
    yaml.allow_unicode = True
    return yaml


def _read_yaml(path: Path, library: Path | None, seen: tuple[Path, ...]) -> dict[str, Any]:
    from ruamel.yaml.error import YAMLError

    if path.resolve() in seen:
        raise ConfigError(f"{path}: extends itself by way of {seen[-1]}", f"take out one `{_EXTENDS}:`")
    try:
        values = _yaml().load(path.read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, IsADirectoryError):
        mend = "check the path, or name one of the system's recipes"
        raise ConfigError(f"{path}: no such recipe file", mend) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text ({error.reason})", "save the file as UTF-8") from None
    except YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}", "mend the line named above") from None
    values = {} if values is None else values
    if not isinstance(values, dict):
        found = type(values).__name__
        raise ConfigError(f"{path}: expected `key: value` lines, found {found}", "see `--help` for the keys")
    parent = values.pop(_EXTENDS, None)
    if parent is None:
        return values
    target = path.parent / (parent if str(parent).endswith((".yaml", ".yml")) else f"{parent}.yaml")
    if library is not None and not target.exists():
        target = library / target.name
    return merged(_read_yaml(target, library, (*seen, path.resolve())), values)


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with the values of ``over``, group by group."""
    both = {k: merged(base[k], v) for k, v in over.items() if isinstance(v, dict) and isinstance(base.get(k), dict)}
    return {**base, **over, **both}


def _required(cls: type[Any]) -> list[str]:
    missing = dataclasses.MISSING
    return [f.name for f in dataclasses.fields(cls) if f.default is missing and f.default_factory is missing]


def _leaves(cls: type[Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted paths of all fields that are not groups, with their types."""
    for name, hint in typing.get_type_hints(cls).items():
        if name in {f.name for f in dataclasses.fields(cls)}:
            if dataclasses.is_dataclass(hint):
                yield from _leaves(cast(type[Any], hint), f"{prefix}{name}.")
            else:
                yield prefix + name, hint


def _with_groups(cls: type[Any], args: Sequence[str]) -> list[str]:
    """Write ``--name`` as ``--group.name`` where only one group has that name."""
    paths: dict[str, list[str]] = {}
    for path, _ in _leaves(cls):
        dashed = path.replace("_", "-")
        paths.setdefault(dashed.rpartition(".")[2], []).append(dashed)
    words = []
    for word in args:
        name, equals, value = word.partition("=")
        leaf = name[2:].replace("_", "-") if name.startswith("--") else ""
        no, positive = ("no-", leaf[3:]) if leaf.startswith("no-") and leaf not in paths else ("", leaf)
        found = paths.get(positive, [])
        if len(found) == 1 and "." in found[0]:
            group = found[0].rpartition(".")[0]
            word = f"--{group}.{no}{positive}{equals}{value}"
        words.append(word)
    return words


def _explained(cls: type[Any], faults: Sequence[Any], source: str) -> ConfigError:
    leaves = [path for path, _ in _leaves(cls)]
    groups = dict.fromkeys(
        ".".join(path.split(".")[:depth]) for path in leaves for depth in range(1, path.count(".") + 1)
    )
    known = [*leaves, *groups]
    lines = [_explain(known, fault) for fault in faults]
    noun = "fault" if len(lines) == 1 else "faults"
    body = "\n".join(f"  {line}" for line in lines)
    names = tuple(".".join(map(str, fault["loc"])) for fault in faults)
    command = " ".join(["onsei", *(word for word in sys.argv[1:3] if not word.startswith("-"))])
    return ConfigError(f"{source}: {len(lines)} {noun}\n{body}", f"`{command} --help` lists all fields", names)


def _explain(known: Sequence[str], fault: Mapping[str, Any]) -> str:
    path = ".".join(map(str, fault["loc"])) or "(whole)"
    kind = fault["type"]
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        return f"{path}: unknown{_suggestion(path, known)}"
    if kind.startswith("missing"):
        return f"{path}: required, but not given"
    message = fault["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    return f"{path}: expected {message}; found {json.dumps(fault['input'], ensure_ascii=False, default=str)[:120]}"


def _suggestion(path: str, known: Sequence[str]) -> str:
    leaf = path.rpartition(".")[2].replace("-", "_")
    same_leaf = [k for k in known if k.rpartition(".")[2] == leaf]
    close = same_leaf or difflib.get_close_matches(path, known, 1, 0.6)
    if not close:
        by_leaf = {k.rpartition(".")[2]: k for k in known}
        close = [by_leaf[name] for name in difflib.get_close_matches(leaf, list(by_leaf), 1, 0.7)]
    return f"; did you mean {close[0]}?" if close else ""
