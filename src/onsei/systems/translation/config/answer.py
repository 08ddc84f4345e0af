"""What a model is asked, and what it answers."""

from __future__ import annotations

from pathlib import Path

from onsei.config import PositiveInt, options


@options
class Request:
    """One recording to hear."""

    audio: Path
    """The file."""
    n_best: PositiveInt = 1
    """How many sentences to give, where the model makes any."""


@options
class Candidate:
    """A sentence that was considered."""

    text: str
    """The sentence."""
    score: float
    """Logarithm of its probability, per token."""


@options
class Translation:
    """What was heard, and what it means as far as the model knows."""

    text: str = ""
    """The likeliest sentence; empty of models that have not learned any."""
    candidates: tuple[Candidate, ...] = ()
    """The likeliest sentences, best first."""
    units: tuple[int, ...] = ()
    """Acoustic units in their order, repeats taken together."""
    frames: tuple[PositiveInt, ...] = ()
    """Frames that each of them lasts."""
    frame_seconds: float = 0.0
    """Time from frame to frame."""
    duration: float = 0.0
    """Seconds of sound."""
