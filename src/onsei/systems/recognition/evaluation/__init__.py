"""Measuring a recognizer: WER and CER over a manifest with their intervals, and what went wrong in every utterance."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from rich.console import Console

from onsei.config import from_dict
from onsei.data.loader import Fault
from onsei.data.manifest import Manifest
from onsei.errors import ConfigError, DataError
from onsei.metrics.normalize import normalizer
from onsei.paths import write_text, written_aside
from onsei.systems.recognition.config import Data, Evaluate
from onsei.systems.recognition.data import told
from onsei.systems.recognition.evaluation.tables import counted, finite, line, rates, row, utterances
from onsei.systems.recognition.evaluation.tally import Evaluation, Tally, Utterance, heard, measure, unknown_in
from onsei.systems.recognition.inference import Transcriber

__all__ = ["Evaluation", "Tally", "Utterance", "evaluate", "measure", "unknown_in"]

_WORST = 10
_NAMED = 100
"""Rows that could not be read that are printed; all are counted."""


def evaluate(options: Evaluate) -> None:
    """Print the rates and the worst utterances; write JSON where asked. Utterances are not held in memory."""
    manifest = Manifest.open(options.test_manifest)
    if not len(manifest):
        raise DataError(f"{options.test_manifest}: no utterances", "check --test-manifest")
    runner = Transcriber.load(options.model, options.device, options.dtype)
    unknown = unknown_in(manifest, runner.alphabet)
    if options.unknown_characters == "fail" and unknown:
        raise ConfigError(told(manifest.path, unknown), "--unknown-characters drop scores without them")
    batches = from_dict(Data, {"batch_size": options.batch_size, "batch_seconds": options.batch_seconds})
    scoring = normalizer(options.normalizer, runner.alphabet.labels[1:])
    console, tally = Console(), Tally()
    stream = heard(runner, manifest, tally, scoring, batches, workers=options.num_workers, progress=True)
    with ExitStack() as stack:
        note = _table_into(stack, options.table, scoring.name)
        worst, faults = _taken(stream, note, console if options.verbose else None)
        if not tally.utterances:
            raise DataError(
                f"{options.test_manifest}: none of its {len(manifest)} utterances could be read; first: "
                f"{faults[0].reason}",
                "run `onsei data check` on the manifest",
            )
        by = tally.grouped_by(options.bootstrap_by)
    numbers = tally.numbers(by, resamples=options.resamples, seed=options.seed)
    numbers["unknown_characters"] = unknown.total()
    console.print(rates(numbers, f"{options.model} on {options.test_manifest}", runner.alphabet.spaced))
    console.print(counted(numbers), markup=False, highlight=False)
    console.print(
        f"normalizer: {scoring}; in brackets 95 % intervals, {options.resamples} bootstraps over {by}s",
        markup=False,
        highlight=False,
    )
    if worst and not options.verbose:
        console.print(utterances(worst, "worst utterances"))
    if unknown:
        console.print(f"{told(manifest.path, unknown)}; left out", markup=False, highlight=False)
    for fault in faults:
        console.print(f"not read: {fault.id}: {fault.reason}", markup=False, highlight=False)
    if tally.faults > len(faults):
        console.print(f"not read: {tally.faults - len(faults)} more")
    if options.json is not None:
        words = {"normalizer": scoring.name, "bootstrap_by": by}
        write_text(options.json, json.dumps({**finite(numbers), **words}, indent=1) + "\n")


def _table_into(stack: ExitStack, path: Path | None, scoring: str) -> Callable[[Utterance], None]:
    """What writes an utterance into the table ``path``; the table takes its place when ``stack`` ends well."""
    if path is None:
        return lambda utterance: None
    aside = stack.enter_context(written_aside(path))
    file: TextIO = stack.enter_context(aside.open("w", encoding="utf-8", newline="\n"))

    def note(utterance: Utterance) -> None:
        file.write(json.dumps(row(utterance, scoring), ensure_ascii=False) + "\n")

    return note


def _taken(
    stream: Iterator[Utterance | Fault], note: Callable[[Utterance], None], shown: Console | None
) -> tuple[list[Utterance], list[Fault]]:
    """Note every utterance; returns the worst ones, most word errors first, and the first faults."""
    worst: list[tuple[int, int, Utterance]] = []
    faults: list[Fault] = []
    for number, one in enumerate(stream):
        if isinstance(one, Fault):
            if len(faults) < _NAMED:
                faults.append(one)
            continue
        note(one)
        if shown is not None:
            shown.print(line(one), markup=False, highlight=False)
        if one.words.errors:
            keep = heapq.heappush if len(worst) < _WORST else heapq.heappushpop
            keep(worst, (one.words.errors, -number, one))
    return [one for *_, one in sorted(worst, key=lambda found: found[:2], reverse=True)], faults
