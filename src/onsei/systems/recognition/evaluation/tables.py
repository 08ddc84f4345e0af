"""Rates and utterances as tables for people and as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from onsei.systems.recognition.evaluation.tally import Utterance

_TITLES = {"wer": "WER %", "cer": "CER %", "cer_no_spaces": "CER % without spaces"}


def rates(numbers: Mapping[str, float], title: str, spaced: bool) -> Table:
    """The rates with their intervals; where no spaces part words (``spaced``), CER comes first."""
    titles = _TITLES if spaced else {"cer": "CER %", "wer": "WER % (words between spaces)"}
    table = Table(title=title, title_justify="left")
    for name in ("", "rate", "95 % interval"):
        table.add_column(name, justify="right" if name else "left")
    for key, name in titles.items():
        rate, _, ends = interval(numbers, key).partition(" ")
        table.add_row(name, rate, ends.strip("[]").replace(",", " –") or "-")
    return table


def counted(numbers: Mapping[str, float]) -> str:
    """What the rates are of, in a line."""
    spoken = f"{numbers['utterances']:.0f} utterances, {numbers['words']:.0f} words, {numbers['audio_seconds']:.0f} s"
    wrong = f"{numbers['sentence_error_rate']:.2f} % of sentences wrong"
    return f"{spoken}; {wrong}; real-time factor {numbers['real_time_factor']:.4f}"


def interval(numbers: Mapping[str, float], name: str) -> str:
    """``12.34 [10.10, 14.62]``."""
    rate, low, high = (numbers[name + end] for end in ("", "_low", "_high"))
    return f"{rate:.2f}" if math.isnan(low) else f"{rate:.2f} [{low:.2f}, {high:.2f}]"


def utterances(chosen: Sequence[Utterance], title: str) -> Table:
    """Utterances with what was said and heard."""
    table = Table(title=title, title_justify="left")
    for name in ("id", "reference", "heard"):
        table.add_column(name, overflow="fold")
    for name in ("WER %", "CER %", "confidence"):
        table.add_column(name, justify="right")
    for u in chosen:
        measured = (f"{u.words.rate:.1f}", f"{u.characters.rate:.1f}", f"{u.confidence:.3f}")
        table.add_row(*(text.replace("[", r"\[") for text in (u.id, u.reference, u.hypothesis)), *measured)
    return table


def line(u: Utterance) -> str:
    """One utterance on three lines of text."""
    wer, cer = (f"{rate:.1f}" if math.isfinite(rate) else "-" for rate in (u.words.rate, u.characters.rate))
    return (
        f"{u.id}  WER {wer}  CER {cer}  confidence {u.confidence:.3f}\n  said   {u.reference}\n  heard  {u.hypothesis}"
    )


def row(u: Utterance, scoring: str) -> dict[str, Any]:
    """One utterance as JSON values; the rates are those of the normalized texts."""
    return finite(
        {
            "id": u.id,
            "reference": u.reference,
            "hypothesis": u.hypothesis,
            "wer": u.words.rate,
            "cer": u.characters.rate,
            "normalizer": scoring,
            "confidence": round(u.confidence, 4),
            "duration": u.seconds,
            **({"speaker": u.speaker} if u.speaker else {}),
        }
    )


def finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no NaN: the rate of an utterance without a reference becomes null."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}
