"""A look at every row before the long work starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from onsei.data.row import Row
from onsei.decoding.ctc import required_frames
from onsei.systems.recognition.config import Features
from onsei.systems.recognition.data.front import FrontEnd
from onsei.systems.recognition.model import output_frames
from onsei.text.alphabet import Alphabet


@dataclass(frozen=True)
class Survey:
    """What a look at every row before training found."""

    rows: int
    hours: float
    without_text: tuple[str, ...]
    unknown: Counter[str]
    too_long: tuple[str, ...]
    """Ids of utterances whose labels do not fit into their frames."""


def survey(rows: Iterable[Row], alphabet: Alphabet, features: Features) -> Survey:
    """Read every row once: transcripts, characters outside the alphabet, labels that do not fit."""
    front = FrontEnd(features)
    unknown: Counter[str] = Counter()
    without_text, too_long, count, seconds = [], [], 0, 0.0
    for row in rows:
        count, seconds = count + 1, seconds + (row.duration or 0.0)
        if row.text is None:
            without_text.append(row.id)
            continue
        unknown.update(alphabet.unknown([row.text]))
        frames = output_frames(front.frames(row.duration or 0.0))
        if row.duration and required_frames(alphabet.encode(row.text)) > frames:
            too_long.append(row.id)
    return Survey(count, seconds / 3600, tuple(without_text), unknown, tuple(too_long))
