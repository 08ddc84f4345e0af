"""What a trained recognizer is asked, and what it answers."""

from __future__ import annotations

from pathlib import Path

from onsei.config import Fraction, NonNegative, NonNegativeInt, Positive, options


@options
class Request:
    """One sound to write down."""

    audio: Path
    """Sound file, any rate, format and channel count."""
    offset: NonNegative = 0.0
    """Where to begin, in seconds."""
    duration: Positive | None = None
    """How much to hear, in seconds; all by default."""
    channel: NonNegativeInt | None = None
    """Which channel to hear; the mean of all by default."""


@options
class Span:
    """A word or character with its time."""

    text: str
    """The word or character."""
    start: NonNegative
    """Begin, in seconds."""
    end: NonNegative
    """End, in seconds."""
    confidence: Fraction
    """Mean over characters of the highest probability that each reaches."""


@options
class Transcript:
    """What was heard."""

    text: str
    """The words."""
    confidence: Fraction
    """Mean confidence of the characters; 0 when nothing was heard."""
    duration: NonNegative
    """Length of the sound, in seconds."""
    words: tuple[Span, ...] = ()
    """Every word with its time."""
    characters: tuple[Span, ...] = ()
    """Every character with its time."""
