"""The report of an evaluation: one page with sounds and pictures inside, under 5 MB whatever was measured."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onsei.audio import io
from onsei.audio.samples import Samples
from onsei.errors import DataError, OnseiError
from onsei.metrics.classification import confused
from onsei.plots import gallery
from onsei.plots.cells import Cell
from onsei.plots.classes import reliability
from onsei.plots.curves import curves
from onsei.plots.gallery import ALL, RIGHT, WRONG, Show, cell
from onsei.plots.report import Bar, Report
from onsei.systems.classification.evaluation.chosen import Chosen
from onsei.systems.classification.evaluation.hearing import Clip
from onsei.systems.classification.evaluation.tally import Tally

BUDGET = 3_600_000
"""Bytes that clips may take; the rest of a page stays under 1 MB."""
_RATE = 16_000
_HEARD = 6.0
"""Seconds of a clip that can be heard."""
_CLASSES = 200
_PAIRS = 12


@dataclass(frozen=True)
class Found:
    """What a report is made of."""

    tally: Tally
    numbers: Mapping[str, float]
    chosen: Chosen
    hardest: Sequence[Clip]
    header: Mapping[str, str]
    """Facts of model, data and recipe, by name."""
    grouped: str = "clip"
    """What the intervals are over."""
    journal: Sequence[Mapping[str, Any]] = ()
    """Rows of the run's ``metrics.jsonl``."""
    again: Sequence[str] = ()
    """Commands that make it again."""


def report(title: str, subtitle: str, found: Found, budget: int | None = None) -> Report:
    """The page, or a chapter of one, whose clips take ``budget`` bytes (``BUDGET`` by default)."""
    made = Report(title, subtitle)
    made.metrics(_tiles(found))
    made.table(("", ""), list(found.header.items()))
    add_clips(made, found, BUDGET if budget is None else budget)
    add_classes(made, found)
    _add_trust(made, found)
    add_curves(made, found.journal)
    if found.again:
        made.section("How to make it again")
        made.code("\n".join(found.again))
    return made


def add_clips(made: Report, found: Found, budget: int) -> None:
    """The matrix, and the clips that its cells choose."""
    tally = found.tally
    made.section(
        "What was taken for what",
        "Rows say what clips are, columns what they were taken for. Click a cell to see and hear its clips; click a "
        "picture to play from there.",
    )
    made.matrix(tally.labels, tally.matrix)
    cards = gallery.fitted(_clips(found.chosen), budget)
    made.gallery(
        sorted(cards, key=lambda card: f'data-tokens="{ALL} {RIGHT}' in card),
        [Show("all", [ALL]), Show("wrong", [WRONG]), Show("right", [RIGHT])],
    )
    made.text(
        f"{len(cards)} of {tally.clips} clips are here: of every cell the hardest first, and the surest of those named "
        f"rightly. Of long clips {_HEARD:g} s from the middle are heard; the network heard all of them."
    )
    pairs = confused(tally.matrix, _PAIRS)
    if pairs:
        made.section("Most taken for each other")
        rows = []
        for pair in pairs:
            names = tally.labels[pair.first], tally.labels[pair.second]
            tokens = [cell(pair.first, pair.second), cell(pair.second, pair.first)]
            rows.append((*names, pair.forth, pair.back, Show("hear", tokens, f"{names[0]} and {names[1]}")))
        made.table(("one", "other", "one taken for other", "other for one", ""), rows)
    if found.hardest:
        made.section("Hardest clips", "Those to whose class the network gave the least probability.")
        made.table(
            ("clip", "is", "taken for", "sure of that", "sure of what it is", ""),
            [
                (c.id, c.label, c.guess, Bar(c.confidence), Bar(c.chance), Show("hear", [_token(c)], c.id))
                for c in found.hardest
            ],
        )


def add_classes(made: Report, found: Found) -> None:
    """A table of bars, one class a row."""
    made.section("Classes")
    numbers, labels = found.numbers, found.tally.labels
    rates = ("precision", "recall", "f1")
    rows: list[list[Cell]] = [
        [label, int(numbers[f"clips/{label}"]), *(Bar(numbers[f"{name}/{label}"] / 100) for name in rates)]
        for label in labels[:_CLASSES]
    ]
    made.table(("class", "clips", "precision", "recall", "F1"), rows)
    if len(labels) > _CLASSES:
        made.text(f"{len(labels) - _CLASSES} more classes are left out.")


def add_curves(made: Report, journal: Sequence[Mapping[str, Any]]) -> None:
    """How training went, where its numbers are there."""
    keys = {key for row in journal for key in row}
    charts = [("loss", ("train/loss", "val/loss"), ""), ("accuracy", ("val/accuracy",), "%")]
    drawn = [(name, [key for key in wanted if key in keys], unit) for name, wanted, unit in charts]
    if any(wanted for _, wanted, _ in drawn):
        made.section("How it learned")
        for name, wanted, unit in drawn:
            if wanted:
                made.figure(curves(journal, wanted, y=unit or name), name.capitalize())


def journal(folder: Path) -> list[dict[str, Any]]:
    """Rows of ``metrics.jsonl`` in a model folder; none where there is no such file, or it is damaged."""
    try:
        lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
    except (OSError, ValueError):
        return []
    return [row for row in rows if isinstance(row, dict)]


def _tiles(found: Found) -> dict[str, str]:
    numbers = found.numbers
    ends = f"{numbers['accuracy_low']:.1f} – {numbers['accuracy_high']:.1f}"
    tiles = {
        "accuracy": f"{numbers['accuracy']:.1f} %",
        f"95 % interval, over {found.grouped}s": ends,
        "macro-F1": f"{numbers['macro_f1']:.1f} %",
        "calibration error": f"{numbers['calibration_error']:.1f} points",
        "clips": f"{numbers['clips']:,.0f}",
        "always the most frequent class": f"{numbers['most_frequent_class']:.1f} %",
    }
    if "top3_accuracy" in numbers:
        tiles["among the best 3"] = f"{numbers['top3_accuracy']:.1f} %"
    return tiles


def _add_trust(made: Report, found: Found) -> None:
    made.section(
        "How far its confidence can be trusted",
        "A classifier that is 80 % sure should be right in 80 of 100 clips: bars that end below the line are "
        f"overconfident. The mean gap is {found.numbers['calibration_error']:.1f} points.",
    )
    made.figure(reliability(found.tally.calibration), "Accuracy over confidence, and how many clips each bar is of")


def _clips(chosen: Chosen) -> Iterator[gallery.Clip]:
    """Chosen clips with their sounds; one that cannot be read any more is left out."""
    for clip in chosen.in_turn():
        length = min(_HEARD, clip.seconds)
        start = (clip.seconds - length) / 2
        whole = clip.seconds <= _HEARD
        try:
            samples, rate = part(clip, 0.0 if whole else start, None if whole else length)
        except OnseiError:
            continue
        note = "" if whole else f"{length:.1f} s from {start:.1f} s on, of {clip.seconds:.1f} s"
        tokens = [cell(clip.truth, clip.guessed), _token(clip)]
        yield gallery.Clip(clip.id, clip.label, clip.best, samples, rate, tokens, note)


def part(clip: Clip, start: float, length: float | None) -> tuple[Samples, int]:
    """The clip's sound from ``start`` on, ``length`` seconds or all, at 16 kHz at most, and its rate."""
    row, (offset, span) = clip.row, clip.row.segment
    if row.audio is None:
        raise DataError(f"{row.id}: the row has no audio")
    rate = min(_RATE, io.info(row.audio).sample_rate)
    duration = span if length is None else length
    return io.load(row.audio, rate, offset=offset + start, duration=duration, channel=row.channel)


def _token(clip: Clip) -> str:
    """A word for a clip that no other has; ids may hold spaces."""
    return f"n{clip.id.encode(errors='surrogatepass').hex()}"
