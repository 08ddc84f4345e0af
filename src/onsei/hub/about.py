"""What is known of a model beside its training: where it comes from, under which license, and what it cannot do."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from onsei.errors import DataError

UNKNOWN = "unknown"
_STRICTER = (
    "cc0-1.0", "unlicense", "mit", "bsd-2-clause", "bsd-3-clause", "apache-2.0", "cc-by-3.0", "cc-by-4.0",
    "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0",
)  # fmt: skip
"""Licenses of weights and data, each as strict as those before it."""
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
_LICENSE = re.compile(r"^license:[ \t]*[\"']?([\w.-]+)", re.MULTILINE)


@dataclass(frozen=True)
class About:
    """What a model card says beside numbers; all of it may be left out."""

    summary: str = ""
    """One or two sentences on what it does."""
    task: str = ""
    """The Hub's pipeline tag, such as ``automatic-speech-recognition``."""
    languages: tuple[str, ...] = ()
    """ISO 639 codes."""
    license: str = ""
    """SPDX-like id of the weights; derived from those of base and data where empty."""
    base_models: tuple[str, ...] = ()
    """Hub ids of the weights that training started from."""
    base_license: str = ""
    """License of these weights."""
    datasets: tuple[str, ...] = ()
    """Hub ids of the data."""
    data_license: str = ""
    """License of the data."""
    limits: tuple[str, ...] = ()
    """What the model cannot do, one sentence each."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> About:
        """From JSON values; what is ill-typed or unknown is left out, so that no model folder fails by its card."""
        kept: dict[str, Any] = {}
        for field in fields(cls):
            value = values.get(field.name)
            if isinstance(field.default, str) and isinstance(value, str):
                kept[field.name] = value
            elif isinstance(field.default, tuple) and isinstance(value, (list, tuple)):
                kept[field.name] = tuple(item for item in value if isinstance(item, str))
        return cls(**kept)

    def to_dict(self) -> dict[str, Any]:
        """JSON values of the fields that say something."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items() if v}

    @property
    def of_weights(self) -> str:
        """The license of the weights: as given, else derived."""
        return self.license or derived([self.base_license] * bool(self.base_models) + [self.data_license])


@dataclass(frozen=True)
class Measured:
    """Numbers of an evaluation, as ``evaluate --json`` writes them."""

    data: str
    """What it was measured on."""
    numbers: Mapping[str, float]
    """By name; rates in percent, with ``NAME_low`` and ``NAME_high`` where there is an interval."""
    words: Mapping[str, str]
    """How it was measured."""
    classes: Mapping[str, Mapping[str, float]]
    """Numbers of each class, by its label and the measure's name; empty where there are no classes."""

    @classmethod
    def read(cls, path: Path, data: str = "") -> Measured:
        """Read what ``evaluate --json`` wrote to ``path``; ``data`` says what was measured, in place of its own words.

        Raises:
            DataError: it is no such file.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: cannot be read ({error})", "name a file that `evaluate --json` wrote") from None
        if not isinstance(values, dict) or not any(_is_number(v) for v in values.values()):
            raise DataError(f"{path}: no numbers of an evaluation", "name a file that `evaluate --json` wrote")
        classes: dict[str, dict[str, float]] = {}
        for key, value in values.items():
            name, slash, label = key.partition("/")
            if slash and _is_number(value):
                classes.setdefault(label, {})[name] = value
        words = {key: value for key, value in values.items() if isinstance(value, str)}
        numbers = {key: value for key, value in values.items() if _is_number(value) and "/" not in key}
        return cls(data or words.get("data", "") or UNKNOWN, numbers, words, classes)

    @property
    def rates(self) -> dict[str, str]:
        """The numbers in words, with their intervals."""
        found = {}
        for name, value in self.numbers.items():
            if name.endswith(("_low", "_high")):
                continue
            low, high = self.numbers.get(f"{name}_low"), self.numbers.get(f"{name}_high")
            ends = "" if low is None or high is None else f" ({low:.2f} to {high:.2f})"
            found[name] = (f"{value:.2f}" if ends else f"{value:.6g}") + ends
        return found

    @property
    def main(self) -> dict[str, float]:
        """The numbers that have an interval."""
        return {name: value for name, value in self.numbers.items() if f"{name}_low" in self.numbers}


def derived(licenses: Sequence[str]) -> str:
    """The strictest of ``licenses``; ``unknown`` where one is unknown, none is named, or they cannot be compared."""
    named = {name.strip().lower() for name in licenses}
    if not named or not named - {""} or "" in named or UNKNOWN in named:
        return UNKNOWN
    if len(named) == 1:
        return named.pop()
    if not named <= set(_STRICTER):
        return UNKNOWN
    return max(named, key=_STRICTER.index)


def base(folder: Path, name: str) -> tuple[str, str]:
    """Hub id and license of the pretrained weights in ``folder``, which were asked for as ``name``; empty if unknown.

    A local folder's id is the one that its ``config.json`` names, its license that of its model card.
    """
    found = name if not Path(name).expanduser().exists() else ""
    if not found:
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            found = str(config.get("_name_or_path") or "")
        except (OSError, ValueError, AttributeError):
            found = ""
    if not _HUB_ID.fullmatch(found) or "/" not in found:
        found = ""
    return found, license_of(folder)


def license_of(folder: Path) -> str:
    """The license in the head of the model card in ``folder``; empty where there is none."""
    try:
        text = (folder / "README.md").read_text(encoding="utf-8")[:20_000]
    except (OSError, UnicodeDecodeError):
        return ""
    head = text.split("\n---", 1)[0] if text.startswith("---") else ""
    found = _LICENSE.search(head)
    return found[1] if found else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
