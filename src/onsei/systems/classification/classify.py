"""The verb `classify`: what recordings hold."""

from __future__ import annotations

import csv
import io as text
import json
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from onsei.audio import io
from onsei.config import to_dict
from onsei.data.download import Limits
from onsei.data.manifest import refuse_existing
from onsei.data.progress import progress
from onsei.errors import AudioError
from onsei.paths import written_aside
from onsei.systems.classification.config import Classification, Classify, Request
from onsei.systems.classification.foreign import open_classifier
from onsei.systems.classification.inference import Classifier
from onsei.systems.classification.sounds import Given

_SHORT = 30.0
"""Seconds up to which sounds are read whole and share batches; longer ones are heard piece by piece."""
_TOGETHER = 32
_THREADS = 4
_SHOW_FROM = 16


@dataclass(frozen=True)
class Heard:
    """A sound by its name, and what it is, or why it could not be heard."""

    name: str
    result: Classification | AudioError


@dataclass(frozen=True)
class _Read:
    """A sound with its samples or, where it is long, its file."""

    name: str
    duration: float
    samples: NDArray[np.float32] | None
    file: Path
    kept: ExitStack
    """Ends the file, where it is a temporary one."""


def classify(options: Classify) -> int:
    """Write the classes of sounds; one that cannot be read is named and the others go on, then the status is 2."""
    given = Given(options.audio, Limits(int(options.max_megabytes * 2**20), options.timeout))
    given.check()
    if options.output is not None:
        refuse_existing([options.output], options.force)
    runner = open_classifier(options.model, options.device, options.dtype)
    total, failed = given.count(), 0
    with ExitStack() as stack:
        target = _target(options.output, stack)
        target.write(head(options.format, min(options.top_k, len(runner.labels))))
        advance = stack.enter_context(progress("classifying", total))
        for heard in classified(runner, given, options.top_k):
            advance(1, total >= _SHOW_FROM)
            if isinstance(heard.result, AudioError):
                print(f"onsei: {heard.result}", file=sys.stderr, flush=True)
                failed += 1
                continue
            target.write(line(heard.name, heard.result, options.format, named=total > 1))
            target.flush()
    if options.output is not None:
        print(f"{options.output}: {total - failed} sounds" + (f", {failed} could not be read" if failed else ""))
    return 2 if failed else 0


def classified(runner: Classifier, given: Given, top_k: int) -> Iterator[Heard]:
    """What each of the given sounds is, in their order.

    The next sounds are read while the network hears these; two batches of sounds are in memory, however many there are
    and however long they last.
    """
    names = iter(given)
    with ThreadPoolExecutor(_THREADS) as pool:
        waiting: deque[Future[_Read | Heard]] = deque()

        def ask(count: int) -> None:
            waiting.extend(pool.submit(_read, runner, given, name) for name in islice(names, count))

        ask(2 * _TOGETHER)
        while waiting:
            part = [waiting.popleft().result() for _ in range(min(_TOGETHER, len(waiting)))]
            ask(_TOGETHER)
            yield from _heard(runner, part, top_k)


def head(form: str, columns: int) -> str:
    """What stands above the lines: names of columns for ``csv``, else nothing."""
    if form != "csv":
        return ""
    return _cells(["audio", "duration", *(f"{what}_{n}" for n in range(1, columns + 1) for what in ("label", "score"))])


def line(name: str, result: Classification, form: str, *, named: bool = True) -> str:
    """A sound's classes as a line of ``table``, ``json`` or ``csv``, with its end."""
    if form == "json":
        return json.dumps({"audio": name, **to_dict(result)}, ensure_ascii=False) + "\n"
    if form == "csv":
        return _cells([name, result.duration, *(cell for one in result.labels for cell in (one.label, one.score))])
    shown = "  ".join(f"{one.label} {100 * one.score:.1f} %" for one in result.labels)
    return f"{name}\t{shown}\n" if named else f"{shown}\n"


def _read(runner: Classifier, given: Given, name: str) -> _Read | Heard:
    with ExitStack() as stack:
        try:
            path = stack.enter_context(given.file(name))
            seconds = io.info(path).duration
            if seconds > _SHORT:
                return _Read(name, seconds, None, path, stack.pop_all())
            return _Read(name, seconds, io.load(path, runner.sample_rate)[0], path, ExitStack())
        except AudioError as error:
            return Heard(name, error)


def _heard(runner: Classifier, part: list[_Read | Heard], top_k: int) -> Iterator[Heard]:
    short = [read.samples for read in part if isinstance(read, _Read) and read.samples is not None]
    rows = iter(runner.probabilities(short)) if short else iter(())
    for read in part:
        if isinstance(read, Heard):
            yield read
        elif read.samples is not None:
            yield Heard(read.name, runner.named(next(rows), read.duration, top_k))
        else:
            with read.kept:
                yield Heard(read.name, _long(runner, read.file, top_k))


def _long(runner: Classifier, path: Path, top_k: int) -> Classification | AudioError:
    try:
        return runner(Request(path, top_k))
    except AudioError as error:
        return error


def _target(output: Path | None, stack: ExitStack) -> TextIO:
    if output is None:
        return sys.stdout
    aside = stack.enter_context(written_aside(output))
    return stack.enter_context(aside.open("w", encoding="utf-8", newline=""))


def _cells(values: list[object]) -> str:
    target = text.StringIO(newline="")
    csv.writer(target, lineterminator="\n").writerow(values)
    return target.getvalue()
