"""Transcripts in parts: labels to words, chunks to a whole, words to subtitles."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from html import escape

import numpy as np

from onsei.systems.recognition.config import Span, Transcript

_LINE = 42
"""Columns of a line of subtitles; a wide character, as of Japanese, takes two."""
_SECONDS = 5.0
"""Longest time that a line of subtitles stands."""


def words_of(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Words between spaces, from the first span's start to the last one's end. A span that begins with a space begins
    a word.
    """
    words: list[Span] = []
    group: list[Span] = []
    for span in [*spans, Span(" ", 0.0, 0.0, 0.0)]:
        if span.text.startswith(" ") and group:
            text = "".join(part.text for part in group).strip()
            words.append(Span(text, group[0].start, group[-1].end, mean(group)))
            group = []
        if span.text.strip():
            group.append(span)
    return tuple(words)


def joined(parts: Sequence[Transcript], between: str = " ") -> Transcript:
    """One transcript of consecutive chunks, with ``between`` put between their texts."""
    characters = tuple(c for part in parts for c in part.characters)
    words = tuple(w for part in parts for w in part.words)
    text = between.join(part.text for part in parts if part.text)
    return Transcript(text, mean(characters), parts[-1].duration, words, characters)


def mean(spans: Sequence[Span]) -> float:
    """Mean confidence, 0 to 1; 0 of nothing."""
    return round(float(np.mean([s.confidence for s in spans])), 4) if spans else 0.0


def subtitles(result: Transcript, kind: str) -> str:
    """Words in lines of at most 42 columns and 5 seconds, as SRT or WebVTT."""
    space = " " if " " in result.text or len(result.words) == 1 else ""
    lines: list[list[Span]] = []
    for word in result.words:
        line = lines[-1] if lines else None
        columns = 0 if line is None else sum(_columns(w.text + space) for w in line) + _columns(word.text)
        if line is not None and columns <= _LINE and word.end - line[0].start <= _SECONDS:
            line.append(word)
        else:
            lines.append([word])
    mark = "," if kind == "srt" else "."
    cues = []
    for line in lines:
        text = space.join(word.text for word in line)
        shown = escape(text, quote=False) if kind == "vtt" else text  # WebVTT has tags, SRT has none
        cues.append(f"{_clock(line[0].start, mark)} --> {_clock(line[-1].end, mark)}\n{shown}")
    if kind == "srt":
        cues = [f"{number}\n{cue}" for number, cue in enumerate(cues, 1)]
    return "\n\n".join(["WEBVTT", *cues] if kind == "vtt" else cues)


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _clock(seconds: float, mark: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}{mark}{rest % 1000:03d}"
