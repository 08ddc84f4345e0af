"""Manifests of a corpus, written as its utterances come; validation is cut off and lengths are pruned at the end."""

from __future__ import annotations

import csv
import shutil
from array import array
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np

from onsei.data.corpora.corpus import Entry, Fault, Utterance
from onsei.data.manifest import dump
from onsei.data.merge import between
from onsei.data.split import Part, cut, cut_by_group
from onsei.paths import written_aside

FAULTS = "faults.tsv"


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
class _Staged:
    """A part in the making: rows are in a file, and of each is held where it ends, how long it is and whose."""

    path: Path
    file: IO[bytes]
    ends: array[int] = field(default_factory=lambda: array("Q"))
    seconds: array[float] = field(default_factory=lambda: array("f"))
    speakers: array[int] = field(default_factory=lambda: array("i"))
    codes: dict[str, int] = field(default_factory=dict)

    def add(self, entry: Utterance, folder: Path) -> None:
        self.file.write(dump(entry.row, folder) + b"\n")
        self.ends.append(self.file.tell())
        self.seconds.append(entry.row.duration or 0.0)
        speaker = entry.row.speaker
        self.speakers.append(-1 if speaker is None else self.codes.setdefault(speaker, len(self.codes)))

    def copy(self, numbers: Part, target: Path) -> float:
        """Write the rows ``numbers`` to ``target``; returns their seconds."""
        self.file.flush()
        with self.path.open("rb") as source, written_aside(target) as aside, aside.open("wb") as file:
            for number in numbers.tolist():
                start = self.ends[number - 1] if number else 0
                source.seek(start)
                file.write(source.read(self.ends[number] - start))
        return float(np.frombuffer(self.seconds, np.float32)[numbers].sum(dtype=np.float64))


def write_parts(
    entries: Iterable[Entry],
    folder: Path,
    *,
    val_fraction: float = 0.0,
    shortest: float | None = None,
    longest: float | None = None,
    seed: int = 0,
) -> Written:
    """Write ``PART.jsonl`` for every part in ``entries``, and what could not be used to ``faults.tsv``.

    Rows stay in the order of ``entries``. Older files are replaced; nothing is written where there is no utterance.

    Args:
        entries: measured utterances and faults.
        folder: where to; made where missing.
        val_fraction: share of the training rows that becomes ``val`` where the corpus has no such part. No speaker is
            in both, unless rows are without speaker.
        shortest: in seconds; shorter training rows are left out.
        longest: in seconds; longer training rows are left out.
        seed: of the choice of validation rows.
    """
    faults: Counter[str] = Counter()
    folder.mkdir(parents=True, exist_ok=True)
    stage = folder / ".onsei-staging"
    shutil.rmtree(stage, ignore_errors=True)  # of a call that was killed
    stage.mkdir()
    try:
        with ExitStack() as stack:
            staged: dict[str, _Staged] = {}
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
                    staged[entry.part] = _Staged(path, stack.enter_context(path.open("wb")))
                staged[entry.part].add(entry, folder.resolve())
            table.flush()
            rows, seconds, pruned = _finish(staged, folder, val_fraction, (shortest, longest), seed)
            if faults:
                with written_aside(folder / FAULTS) as aside:
                    shutil.copyfile(stage / FAULTS, aside)
            else:
                (folder / FAULTS).unlink(missing_ok=True)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return Written(rows, seconds, pruned, faults)


def _finish(
    staged: dict[str, _Staged],
    folder: Path,
    val_fraction: float,
    limits: tuple[float | None, float | None],
    seed: int,
) -> tuple[dict[str, int], dict[str, float], int]:
    chosen: dict[str, tuple[_Staged, Part]] = {
        name: (part, np.arange(len(part.ends), dtype=np.int64)) for name, part in staged.items()
    }
    pruned = 0
    if "train" in staged:
        train = staged["train"]
        if "val" not in staged and val_fraction and len(train.ends) > 1:
            parts = _cut(train, val_fraction, seed)
            chosen |= {name: (train, numbers) for name, numbers in parts.items()}
        numbers = chosen["train"][1]
        fits = between(np.frombuffer(train.seconds, np.float32)[numbers], *limits)
        pruned = len(numbers) - len(fits)
        chosen["train"] = (train, numbers[fits])
    rows, seconds = {}, {}
    for name, (part, numbers) in chosen.items():
        if len(numbers):
            seconds[name] = part.copy(numbers, folder / f"{name}.jsonl")
            rows[name] = len(numbers)
    return rows, seconds, pruned


def _cut(part: _Staged, fraction: float, seed: int) -> dict[str, Part]:
    total = len(part.ends)
    wanted = {"val": min(max(1, round(fraction * total)), total)}
    speakers = np.frombuffer(part.speakers, np.int32)
    if len(part.codes) > 1 and (speakers >= 0).all():
        return cut_by_group(speakers, wanted, seed)
    return cut(total, wanted, seed)
