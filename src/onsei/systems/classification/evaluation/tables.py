"""What a classifier reached, as tables for people and as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from onsei.metrics.classification import confused
from onsei.systems.classification.evaluation.hearing import Clip
from onsei.systems.classification.evaluation.tally import Tally

RATES = {
    "accuracy": "accuracy %",
    "macro_f1": "macro-F1 %",
    "balanced_accuracy": "mean recall of the classes %",
    "top3_accuracy": "among the best 3 %",
    "calibration_error": "calibration error, points",
    "cross_entropy": "cross-entropy, nats",
    "most_frequent_class": "always the most frequent class %",
}
_WIDEST = 16
"""Classes up to which the matrix is printed."""


def rates(numbers: Mapping[str, float], title: str) -> Table:
    """The rates with their intervals."""
    table = Table(title=escape(title), title_justify="left")
    for name in ("", "value", "95 % interval"):
        table.add_column(name, justify="right" if name else "left")
    for key, name in RATES.items():
        if key in numbers:
            low, high = numbers.get(f"{key}_low", math.nan), numbers.get(f"{key}_high", math.nan)
            table.add_row(name, f"{numbers[key]:.2f}", "" if math.isnan(low) else f"{low:.2f} – {high:.2f}")
    return table


def counted(numbers: Mapping[str, float]) -> str:
    """What the rates are of, in a line."""
    return (
        f"{numbers['clips']:.0f} clips of {numbers['classes']:.0f} classes, {numbers['audio_seconds']:.0f} s; "
        f"real-time factor {numbers['real_time_factor']:.4f}"
    )


def by_class(labels: Sequence[str], numbers: Mapping[str, float]) -> Table:
    """Precision, recall and F1 of every class."""
    table = Table("class", title="classes", title_justify="left")
    for name in ("clips", "precision %", "recall %", "F1 %"):
        table.add_column(name, justify="right")
    for label in labels:
        shown = (numbers[f"{name}/{label}"] for name in ("precision", "recall", "f1"))
        percents = ("–" if math.isnan(value) else f"{value:.1f}" for value in shown)
        table.add_row(escape(label), f"{numbers[f'clips/{label}']:.0f}", *percents)
    return table


def matrix(tally: Tally) -> Table | None:
    """Rows are what clips are, columns what they were taken for; None for many classes."""
    if len(tally.labels) > _WIDEST:
        return None
    table = Table("is ↓  taken for →", title="what was taken for what", title_justify="left", box=None)
    for number in range(1, len(tally.labels) + 1):
        table.add_column(str(number), justify="right", min_width=3)
    for number, (label, row) in enumerate(zip(tally.labels, tally.matrix.tolist(), strict=True), 1):
        table.add_row(f"{number} {escape(label)}", *(str(count) if count else "·" for count in row))
    return table


def pairs(tally: Tally, most: int = 5) -> list[str]:
    """The classes that are most taken for each other, in words."""
    labels = tally.labels
    return [
        f"{labels[p.first]} and {labels[p.second]}: {p.forth + p.back} ({p.forth} of the first, {p.back} of the second)"
        for p in confused(tally.matrix, most)
    ]


def hardest(clips: Sequence[Clip]) -> Table:
    """Clips with what they are and what they were taken for."""
    table = Table(title="hardest clips", title_justify="left")
    for name in ("id", "is", "taken for"):
        table.add_column(name, overflow="fold")
    for name in ("sure of that %", "sure of what it is %"):
        table.add_column(name, justify="right")
    for clip in clips:
        sure = (f"{100 * clip.confidence:.1f}", f"{100 * clip.chance:.1f}")
        table.add_row(escape(clip.id), escape(clip.label), escape(clip.guess), *sure)
    return table


def row(clip: Clip) -> dict[str, Any]:
    """One clip as JSON values."""
    return {
        "id": clip.id,
        "audio": str(clip.row.audio),
        "label": clip.label,
        "guess": clip.guess,
        "right": clip.right,
        "confidence": round(clip.confidence, 6),
        "probability": round(clip.chance, 6),
        "loss": round(clip.loss, 6),
        "best": [[label, round(share, 6)] for label, share in clip.best],
        "duration": round(clip.seconds, 3),
    }


def finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no NaN: the precision of a class that was never guessed becomes null."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}
