"""Manifests of a corpus, written as its utterances come; they are arranged into parts and pruned at the end."""

from __future__ import annotations

import csv
import shutil
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from onsei.data.corpora.corpus import Entry, Fault, Utterance
from onsei.data.digest import digest
from onsei.data.manifest import dump
from onsei.data.merge import between
from onsei.data.row import Row, from_json
from onsei.data.split import Part, cut, cut_by_group, group_of
from onsei.paths import written_aside

FAULTS = "faults.tsv"
KEYS = ("speaker", "label", "recording", "artist")
"""Keys of rows whose values are known when the parts are arranged."""


@dataclass(frozen=True)
class Written:
    """The outcome of ``write_parts``."""

    rows: dict[str, int]
    """By part."""
    seconds: dict[str, float]
    """By part."""
    pruned: int
    """Training rows left out as too short or too long."""
    faults: Counter[str]
    """By kind."""


@dataclass
class Staged:
    """A part in the making: rows are in a file; of each is held where it ends, how long it is, and digests of KEYS."""

    path: Path
    file: IO[bytes]
    ends: array[int] = field(default_factory=lambda: array("Q"))
    lengths: array[float] = field(default_factory=lambda: array("f"))
    digests: dict[str, array[int]] = field(default_factory=lambda: {key: array("Q") for key in (*KEYS, "sound")})
    labels: Counter[str] = field(default_factory=Counter)
    """Rows of each label, in the order in which labels came."""

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def seconds(self) -> NDArray[np.float32]:
        """Durations of the rows."""
        return np.frombuffer(self.lengths, np.float32)

    def digest(self, key: str) -> NDArray[np.uint64]:
        """8 bytes of a hash of each row's ``key`` or of its ``sound``; 0 where it has none."""
        return np.frombuffer(self.digests[key], np.uint64)

    def codes(self, key: str) -> NDArray[np.int32]:
        """The values of ``key`` as numbers, from 0 in the order in which they came; -1 where a row has none."""
        digests = self.digest(key)
        _, first, inverse = np.unique(digests, return_index=True, return_inverse=True)
        rank = np.argsort(np.argsort(np.where(digests[first] == 0, len(digests), first)))
        return np.where(digests == 0, -1, rank[inverse]).astype(np.int32)

    def add(self, entry: Utterance, folder: Path) -> None:
        """Write the row, with paths relative to ``folder``."""
        self.file.write(dump(entry.row, folder) + b"\n")
        self.ends.append(self.file.tell())
        self.lengths.append(entry.row.duration or 0.0)
        for key in KEYS:
            value = group_of(entry.row, key)
            self.digests[key].append(0 if value is None else digest(value))
        self.digests["sound"].append(entry.sound)
        if entry.row.label is not None:
            self.labels[entry.row.label] += 1

    def row(self, number: int, folder: Path) -> Row:
        """Row ``number`` with paths in ``folder``."""
        self.file.flush()
        with self.path.open("rb") as source:
            return from_json(self._line(source, number), folder, str(self.path))

    def copy(self, numbers: Part, target: Path) -> float:
        """Write the rows ``numbers`` to ``target``; returns their seconds."""
        self.file.flush()
        with self.path.open("rb") as source, written_aside(target) as aside, aside.open("wb") as file:
            for number in numbers.tolist():
                file.write(self._line(source, number))
        return float(self.seconds[numbers].sum(dtype=np.float64))

    def _line(self, source: IO[bytes], number: int) -> bytes:
        start = self.ends[number - 1] if number else 0
        source.seek(start)
        return source.read(self.ends[number] - start)


Arranged = dict[str, tuple[Staged, Part]]
"""Rows of the manifests to write, by their names."""
Arrange = Callable[[Mapping[str, Staged]], Arranged]
"""Decides which rows of what came go to which manifest."""


def write_parts(
    entries: Iterable[Entry],
    folder: Path,
    *,
    arrange: Arrange | None = None,
    val_fraction: float = 0.0,
    shortest: float | None = None,
    longest: float | None = None,
    seed: int = 0,
) -> Written:
    """Write ``PART.jsonl`` for every part in ``entries``, and what could not be used to ``faults.tsv``.

    Rows stay in the order of ``entries``. Older files are replaced; nothing is written where there is no utterance, or
    ``arrange`` raises.

    Args:
        entries: measured utterances and faults.
        folder: where to; made where missing.
        arrange: which rows go where; by default ``by_speaker`` with ``val_fraction`` and ``seed``.
        val_fraction: share of the training rows that becomes ``val`` where the corpus has no such part. No speaker is
            in both, unless rows are without speaker.
        shortest: in seconds; shorter training rows are left out.
        longest: in seconds; longer training rows are left out.
        seed: of the choice of validation rows.
    """
    faults: Counter[str] = Counter()
    arrange = arrange or partial(by_speaker, val_fraction=val_fraction, seed=seed)
    folder.mkdir(parents=True, exist_ok=True)
    stage = folder / ".onsei-staging"
    shutil.rmtree(stage, ignore_errors=True)  # of a call that was killed
    stage.mkdir()
    try:
        with ExitStack() as stack:
            staged: dict[str, Staged] = {}
            table = stack.enter_context((stage / FAULTS).open("w", encoding="utf-8", errors="replace", newline=""))
            told = csv.writer(table, delimiter="\t", lineterminator="\n")
            told.writerow(Fault._fields)
            for entry in entries:
                if isinstance(entry, Fault):
                    faults[entry.kind] += 1
                    told.writerow(" ".join(cell.split()) for cell in entry)
                    continue
                if entry.part not in staged:
                    path = stage / f"{entry.part}.jsonl"
                    staged[entry.part] = Staged(path, stack.enter_context(path.open("wb")))
                staged[entry.part].add(entry, folder.resolve())
            table.flush()
            rows, seconds, pruned = _finish(arrange(staged), folder, (shortest, longest))
            if faults:
                with written_aside(folder / FAULTS) as aside:
                    shutil.copyfile(stage / FAULTS, aside)
            else:
                (folder / FAULTS).unlink(missing_ok=True)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return Written(rows, seconds, pruned, faults)


def by_speaker(staged: Mapping[str, Staged], *, val_fraction: float, seed: int) -> Arranged:
    """The parts as they came; where there is no ``val``, a share of ``train`` becomes it, by whole speakers."""
    chosen = as_they_came(staged)
    train = staged.get("train")
    if train is not None and "val" not in staged and val_fraction and len(train) > 1:
        wanted = {"val": min(max(1, round(val_fraction * len(train))), len(train))}
        speakers = train.codes("speaker")
        grouped = speakers.min() >= 0 and speakers.max() > 0
        parts = cut_by_group(speakers, wanted, seed) if grouped else cut(len(train), wanted, seed)
        chosen |= {name: (train, numbers) for name, numbers in parts.items()}
    return chosen


def as_they_came(staged: Mapping[str, Staged]) -> Arranged:
    """Every part with all of its rows."""
    return {name: (part, np.arange(len(part), dtype=np.int64)) for name, part in staged.items()}


def _finish(
    chosen: Arranged, folder: Path, limits: tuple[float | None, float | None]
) -> tuple[dict[str, int], dict[str, float], int]:
    pruned = 0
    if "train" in chosen:
        train, numbers = chosen["train"]
        fits = between(train.seconds[numbers], *limits)
        pruned = len(numbers) - len(fits)
        chosen["train"] = (train, numbers[fits])
    rows, seconds = {}, {}
    for name, (part, numbers) in chosen.items():
        if len(numbers):
            seconds[name] = part.copy(numbers, folder / f"{name}.jsonl")
            rows[name] = len(numbers)
    return rows, seconds, pruned
