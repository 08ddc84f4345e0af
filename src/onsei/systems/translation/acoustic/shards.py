"""A corpus in shares: several processes or machines encode one each, and the last to end puts them together."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onsei.errors import ConfigError
from onsei.paths import write_text, written_aside

UNITS, ABOUT, FAULTS = "units.jsonl", "encode.json", "faults.tsv"
HEAD = b"id\treason\n"
"""First line of the list of faults."""


@dataclass(frozen=True)
class Share:
    """Which rows one process encodes."""

    number: int = 1
    count: int = 1

    @classmethod
    def parsed(cls, text: str) -> Share:
        """The share that ``2/4`` names; empty: all.

        Raises:
            ConfigError: it names none.
        """
        if not text:
            return cls()
        found = re.fullmatch(r"(\d+)/(\d+)", text)
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            raise ConfigError(f"shard: expected a share such as 2/4, found {text!r}", "--shard 1/4 … 4/4", ["shard"])
        return cls(int(found[1]), int(found[2]))

    def rows(self, total: int) -> range:
        """Numbers of the rows, of ``total``."""
        return range(total * (self.number - 1) // self.count, total * self.number // self.count)

    def named(self, name: str) -> str:
        """A file's name, told from those of the other shares."""
        return name if self.count == 1 else f"{name}.{self.number}-of-{self.count}"

    def others(self) -> list[Share]:
        """All shares, this one too."""
        return [Share(number, self.count) for number in range(1, self.count + 1)]


def joined(folder: Path, share: Share, about: Mapping[str, Any]) -> bool:
    """Put the shares together where all are done; whether they were.

    Two processes that end at the same time write the same.
    """
    facts = []
    for one in share.others():
        try:
            facts.append(json.loads((folder / one.named(ABOUT)).read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return False
    if any(found.get(name) != value for found in facts for name, value in about.items()):
        return False
    with written_aside(folder / UNITS) as aside, aside.open("wb") as whole:
        for one in share.others():
            with (folder / one.named(UNITS)).open("rb") as part:
                shutil.copyfileobj(part, whole)
    lists = [folder / one.named(FAULTS) for one in share.others()]
    faults = b"".join(path.read_bytes().removeprefix(HEAD) for path in lists if path.is_file())
    if faults:
        (folder / FAULTS).write_bytes(HEAD + faults)
    sums = {name: sum(found[name] for found in facts) for name in ("rows", "faults")}
    write_text(folder / ABOUT, json.dumps({**about, **sums}, indent=1) + "\n")
    for one in share.others():
        for name in (UNITS, ABOUT, FAULTS):
            (folder / one.named(name)).unlink(missing_ok=True)
    return True
