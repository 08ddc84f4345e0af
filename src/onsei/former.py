"""Flags of older tools, for those who write them by habit: turned into ours, with a word, or refused with the mend."""

from __future__ import annotations

import dataclasses
import sys
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onsei.errors import ConfigError


@dataclass(frozen=True)
class Former:
    """What became of a flag. Options declare theirs as ``FORMER: ClassVar[Mapping[str, Former]]``, by spelling."""

    words: Mapping[str, str]
    """By the value given (``*``: any other), what is written here; ``{value}`` stands for the value. A value that is
    not listed is refused."""
    note: str = ""
    """What to say where it is met."""
    mend: str = ""
    """Where it is refused: what to write."""
    switch: bool = False
    """Whether it has no value; the one in ``words`` is then empty."""


def rewritten(cls: type[Any], args: Sequence[str]) -> list[str]:
    """``args`` with the former flags of the options ``cls`` in today's words; notes go to standard error.

    Raises:
        ConfigError: a flag, or its value, has no equal.
    """
    known = {spelling.lower(): former for part in _parts(cls) for spelling, former in _declared(part).items()}
    words: list[str] = []
    rest = list(args)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        former = known.get(name.replace("_", "-").lower()) if name.startswith("--") else None
        if former is None:
            words.append(word)
            continue
        if not former.switch and not equals and rest and not rest[0].startswith("--"):
            value = rest.pop(0)
        said = f"{name} {value}".strip()
        ours = former.words.get(value, former.words.get("*"))
        if ours is None:
            raise ConfigError(f"{said}: {former.note}", former.mend)
        words += [part.replace("{value}", value) for part in ours.split()]
        if former.note:
            print(f"onsei: {said}: {former.note}", file=sys.stderr)
    return words


def _declared(part: type[Any]) -> Mapping[str, Former]:
    found: Mapping[str, Former] = vars(part).get("FORMER", {})
    return found


def _parts(cls: type[Any]) -> Iterator[type[Any]]:
    """``cls`` and the groups in it."""
    yield cls
    for name, hint in typing.get_type_hints(cls).items():
        if dataclasses.is_dataclass(hint) and name in {f.name for f in dataclasses.fields(cls)}:
            yield from _parts(typing.cast(type[Any], hint))
