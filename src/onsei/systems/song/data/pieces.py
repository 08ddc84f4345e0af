"""Songs cut into rows between sentences, and the prompt of each from another place of the same song."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from onsei.systems.song.data.timed import Timed
from onsei.text.phones import INSTRUMENTAL

_SHARE = 3
"""A prompt is at most the third part of a song."""


class Span(NamedTuple):
    """A stretch of a song."""

    start: float
    """Seconds."""
    end: float
    """Seconds."""

    @property
    def length(self) -> float:
        """Seconds."""
        return self.end - self.start

    def meets(self, other: Span) -> bool:
        """Whether both have some time in common."""
        return self.start < other.end and other.start < self.end


class Piece(NamedTuple):
    """A row to be, and where its prompt comes from."""

    span: Span
    prompt: Span


def pieces(
    timed: Timed, duration: float, prompt: float, *, longest: float, most: int, seconds_per_tag: float = 1.0
) -> list[Piece]:
    """Cut a song of ``duration`` seconds into pieces of at most ``longest`` seconds and ``most`` symbols.

    Of a song that is one piece, the prompt is its end or its beginning, whichever has more singing but not more than
    the rest, which is the piece; of several pieces each takes its prompt from another one. No piece shares time with
    its prompt.
    """
    length = min(prompt, duration / _SHARE)
    whole = Span(0.0, duration)
    first, last = _near(timed, length, length), _near(timed, duration - length, length)
    begin, end = (best_window(timed, [one], length) for one in (Span(0.0, first), Span(last, duration)))
    either = [Piece(Span(0.0, last), end), Piece(Span(first, duration), begin)]
    rich = [one for one in either if singing(timed, one.span) >= singing(timed, one.prompt)]
    single = max(rich or either, key=lambda one: singing(timed, one.prompt if rich else one.span))
    if _fits(timed, single.span, longest, most, seconds_per_tag):
        return [single]
    spans = list(_spans(timed, whole, longest, most, seconds_per_tag))
    if len(spans) == 1:
        return [single]
    return [Piece(span, best_window(timed, [one for one in spans if one != span], length)) for span in spans]


def _spans(timed: Timed, whole: Span, longest: float, most: int, per_tag: float) -> Iterator[Span]:
    ends = [*_breaks(timed), whole.end]
    start = whole.start
    while start < whole.end - 1e-6:
        reach = [end for end in ends if end > start and _fits(timed, Span(start, end), longest, most, per_tag)]
        # A sentence that is too long by itself is cut where the limit falls.
        end = reach[-1] if reach else _hard(timed, start, min(start + longest, whole.end), most, per_tag)
        yield Span(start, end)
        start = end


def _breaks(timed: Timed) -> list[float]:
    """Middles of the silences between sentences, and ends of sections without words."""
    sentences = [sentence for part in timed.parts for sentence in part.sentences]
    between = {(one[-1].end + after[0].start) / 2 for one, after in pairwise(sentences)}
    return sorted(between | {part.end for part in timed.parts if part.tag in INSTRUMENTAL})


def _near(timed: Timed, place: float, length: float) -> float:
    """The break between sentences that is nearest to ``place``, within half of ``length``; else ``place``."""
    near = [one for one in _breaks(timed) if abs(one - place) <= length / 2]
    return min(near, key=lambda one: abs(one - place), default=place)


def _fits(timed: Timed, span: Span, longest: float, most: int, per_tag: float) -> bool:
    return span.length <= longest + 1e-6 and len(timed.cut(*span).symbols(per_tag)) <= most


def _hard(timed: Timed, start: float, end: float, most: int, per_tag: float) -> float:
    syllables = [one for one in timed.syllables() if start < one.end <= end]
    while syllables and len(timed.cut(start, end).symbols(per_tag)) > most:
        last = syllables.pop()
        end = max(start + 0.1, last.start)
    return end


def singing(timed: Timed, span: Span) -> float:
    """Seconds of ``span`` in which something is sung."""
    return sum(max(0.0, min(one.end, span.end) - max(one.start, span.start)) for one in timed.syllables())


def best_window(timed: Timed, spans: Sequence[Span], length: float) -> Span:
    """The stretch of at most ``length`` seconds in one of ``spans`` that has the most singing."""
    found = []
    for span in spans:
        size = min(length, span.length)
        starts = {span.start, max(span.start, span.end - size)}
        starts |= {one.start for one in timed.syllables() if span.start <= one.start <= span.end - size}
        found += [Span(start, min(start + size, span.end)) for start in starts]
    return max(found, key=lambda one: (round(singing(timed, one), 3), -one.start))
