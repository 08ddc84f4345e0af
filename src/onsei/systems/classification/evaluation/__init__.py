"""Measuring a classifier: accuracy and F1 with their intervals, what is taken for what, and a report to hear it."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from rich.console import Console

from onsei.data.loader import Fault
from onsei.data.manifest import Manifest, refuse_existing
from onsei.errors import ConfigError
from onsei.paths import write_text, written_aside
from onsei.systems.classification.config import Evaluate
from onsei.systems.classification.evaluation import report, tables
from onsei.systems.classification.evaluation.chosen import Chosen, Hardest
from onsei.systems.classification.evaluation.header import described
from onsei.systems.classification.evaluation.hearing import Clip, Hearing, Namer
from onsei.systems.classification.evaluation.tally import Evaluation, Tally, measure, nothing_read
from onsei.systems.classification.evaluation.tracked import opened, show
from onsei.systems.classification.foreign import open_classifier

__all__ = ["Clip", "Evaluation", "Hearing", "Namer", "Tally", "evaluate", "measure"]

_HARDEST = 20
_PRINTED = 10
_NAMED = 100
"""Rows that could not be read that are printed; all are counted."""


def evaluate(options: Evaluate) -> None:
    """Print what the classifier reached; write numbers, table and report where asked. Clips are not held in memory.

    Raises:
        ConfigError: rows of classes that the model does not have.
        DataError: nothing to measure, or files that are there.
    """
    manifest = Manifest.open(options.test_manifest)
    if options.report is not None:
        refuse_existing([options.report], options.force)
    runner = open_classifier(options.model, options.device, options.dtype)
    dropped = strange(manifest, runner.labels)
    if dropped and options.unknown_labels == "fail":
        raise ConfigError(told(manifest, dropped, runner.labels), "--unknown-labels drop measures the other rows")
    trackers = opened(options)
    console, tally = Console(), Tally(runner.labels)
    chosen, hardest, faults = Chosen(), Hardest(_HARDEST), list[Fault]()
    hearing = Hearing(runner, manifest, batch_size=options.batch_size, workers=options.num_workers)
    with ExitStack() as stack:
        note = _table_into(stack, options.table)
        for one in hearing.clips(progress=True):
            if isinstance(one, Fault):
                tally.faults += 1
                faults += [one] if len(faults) < _NAMED else []
                continue
            tally.add(one)
            note(one)
            hardest.add(one)
            if options.report is not None:
                chosen.add(one)
        tally.elapsed = hearing.elapsed
        if not tally.clips:
            raise nothing_read(manifest, faults)
        by = tally.grouped_by(options.interval_by)
    numbers = tally.numbers(by, resamples=options.resamples, seed=options.seed)
    numbers["unknown_labels"] = dropped.total()
    _print(console, options, tally, numbers, hardest.clips(), by)
    for line in _asides(manifest, dropped, runner.labels, faults, tally.faults):
        console.print(line, markup=False, highlight=False)
    for tracker in trackers:
        show(tracker, tally, numbers, hardest.clips())
        tracker.close()
    if options.json is not None:
        words = {"data": manifest.path.name, "interval_by": by}
        write_text(options.json, json.dumps({**tables.finite(numbers), **words}, indent=1, ensure_ascii=False) + "\n")
    if options.report is not None:
        header, again = described(options, manifest, runner)
        found = report.Found(
            tally, numbers, chosen, hardest.clips(), header, by, report.journal(Path(options.model)), again
        )
        subtitle = f"{Path(options.model).name or options.model} on {manifest.path.name}"
        report.report(options.title or "Classification", subtitle, found).save(options.report)
        size = options.report.stat().st_size / 1e6
        console.print(f"{options.report}: {size:.1f} MB, open it in a browser", markup=False, highlight=False)


def strange(manifest: Manifest, labels: Sequence[str]) -> Counter[str]:
    """Rows of classes that are not among ``labels``, by class."""
    known = set(labels)
    return Counter(row.label for row in manifest.readable() if row.label is not None and row.label not in known)


def told(manifest: Manifest, dropped: Counter[str], labels: Sequence[str]) -> str:
    """Which classes the model does not have, and which of its own look like them."""
    near = {label.casefold().strip().replace("_", " "): label for label in labels}
    shown = []
    for label, count in dropped.most_common(8):
        close = near.get(label.casefold().strip().replace("_", " "))
        guess = close or next(iter(difflib.get_close_matches(label, labels, 1, 0.75)), None)
        shown.append(f"{label!r} ({count}{f', the model has {guess!r}' if guess else ''})")
    more = f" and {len(dropped) - len(shown)} more" if len(dropped) > len(shown) else ""
    return (
        f"{manifest.path}: {dropped.total()} rows of {len(dropped)} classes that are not among the model's "
        f"{len(labels)}: {', '.join(shown)}{more}"
    )


def _print(
    console: Console, options: Evaluate, tally: Tally, numbers: dict[str, float], hardest: Sequence[Clip], by: str
) -> None:
    console.print(tables.rates(numbers, f"{options.model} on {options.test_manifest}"))
    console.print(tables.counted(numbers), markup=False, highlight=False)
    way = "Wilson's for accuracy, bootstrap for F1" if by == "clip" else f"bootstrap over {by}s"
    console.print(f"95 % intervals over {by}s: {way}", markup=False, highlight=False)
    console.print(tables.by_class(tally.labels, numbers))
    matrix = tables.matrix(tally)
    if matrix is not None:
        console.print(matrix)
    for line in tables.pairs(tally):
        console.print(f"taken for each other: {line}", markup=False, highlight=False)
    wrong = [clip for clip in hardest if not clip.right][:_PRINTED]
    if wrong:
        console.print(tables.hardest(wrong))


def _asides(
    manifest: Manifest, dropped: Counter[str], labels: Sequence[str], faults: Sequence[Fault], count: int
) -> list[str]:
    """What was left out."""
    lines = [f"{told(manifest, dropped, labels)}; left out"] if dropped else []
    lines += [f"not read: {fault.id}: {fault.reason}" for fault in faults]
    return lines + ([f"not read: {count - len(faults)} more"] if count > len(faults) else [])


def _table_into(stack: ExitStack, path: Path | None) -> Callable[[Clip], None]:
    """What writes a clip into the table ``path``; the table takes its place when ``stack`` ends well."""
    if path is None:
        return lambda clip: None
    aside = stack.enter_context(written_aside(path))
    file: TextIO = stack.enter_context(aside.open("w", encoding="utf-8", newline="\n"))

    def note(clip: Clip) -> None:
        file.write(json.dumps(tables.row(clip), ensure_ascii=False) + "\n")

    return note
