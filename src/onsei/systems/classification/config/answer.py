"""What a trained classifier is asked, and what it answers."""

from __future__ import annotations

from pathlib import Path

from onsei.config import Fraction, NonNegative, PositiveInt, options


@options
class Request:
    """One sound to name."""

    audio: Path
    """Sound file, any rate, format and channel count."""
    top_k: PositiveInt = 3
    """How many classes to name at most, the likeliest first."""


@options
class Score:
    """A class and how likely it is."""

    label: str
    """Name of the class."""
    score: Fraction
    """Probability that the network gives it; over all classes they sum to 1."""


@options
class Classification:
    """What was heard."""

    labels: tuple[Score, ...]
    """The likeliest classes, best first."""
    duration: NonNegative
    """Length of the sound, in seconds."""
