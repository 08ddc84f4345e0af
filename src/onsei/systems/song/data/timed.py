"""Lyrics whose syllables have times: cut with the sound, and written as a line of text or of phones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from onsei.errors import DataError
from onsei.text.lyrics import Lyrics, Section, phonemes
from onsei.text.phones import INSTRUMENTAL, SECTION, SENTENCE, TAGS
from onsei.text.singing import English


class Syllable(NamedTuple):
    """What is sung on a note."""

    text: str
    phones: tuple[str, ...]
    start: float
    """Seconds."""
    end: float
    """Seconds."""


@dataclass(frozen=True)
class Part:
    """A section with its time."""

    tag: str
    start: float
    """Seconds."""
    end: float
    """Seconds."""
    sentences: tuple[tuple[Syllable, ...], ...] = ()


@dataclass(frozen=True)
class Timed:
    """A song's lyrics in time."""

    parts: tuple[Part, ...]

    def section(self, part: Part, seconds_per_tag: float) -> Section:
        """``part`` as it is written; a part without words repeats its tag once per ``seconds_per_tag``."""
        times = max(1, round((part.end - part.start) / seconds_per_tag)) if part.tag in INSTRUMENTAL else 1
        return Section(part.tag, tuple(joined(sentence) for sentence in part.sentences), times)

    def lyrics(self, seconds_per_tag: float = 1.0) -> Lyrics:
        """As a line of text."""
        return Lyrics(tuple(self.section(part, seconds_per_tag) for part in self.parts))

    def symbols(self, seconds_per_tag: float = 1.0) -> tuple[str, ...]:
        """As symbols: tags, the syllables' phones, ``.`` between sentences, ``,`` between sections."""
        found: list[str] = []
        for number, part in enumerate(self.parts):
            found += [SECTION] if number else []
            found += [part.tag] * self.section(part, seconds_per_tag).times
            for count, sentence in enumerate(part.sentences):
                found += [SENTENCE] if count else []
                found += [phone for syllable in sentence for phone in syllable.phones]
        return tuple(found)

    def syllables(self) -> list[Syllable]:
        """All syllables in order."""
        return [syllable for part in self.parts for sentence in part.sentences for syllable in sentence]

    def cut(self, start: float, end: float) -> Timed:
        """What is sung from ``start`` to ``end``, in seconds, with times from 0: syllables whose middle is inside."""
        parts = []
        for part in self.parts:
            first, last = max(part.start, start), min(part.end, end)
            if last <= first:
                continue
            sentences = [_inside(sentence, start, end) for sentence in part.sentences]
            kept = tuple(sentence for sentence in sentences if sentence)
            tag = part.tag if kept or part.tag in INSTRUMENTAL else ""
            if tag:
                parts.append(Part(tag, first - start, last - start, kept))
        return Timed(tuple(parts))

    def stretched(self, factor: float) -> Timed:
        """All times multiplied."""
        return Timed(
            tuple(
                Part(
                    part.tag,
                    part.start * factor,
                    part.end * factor,
                    tuple(
                        tuple(one._replace(start=one.start * factor, end=one.end * factor) for one in sentence)
                        for sentence in part.sentences
                    ),
                )
                for part in self.parts
            )
        )

    def dump(self) -> list[dict[str, Any]]:
        """As JSON values."""
        return [
            {
                "tag": part.tag,
                "start": round(part.start, 3),
                "end": round(part.end, 3),
                "sentences": [
                    [[one.text, " ".join(one.phones), round(one.start, 3), round(one.end, 3)] for one in sentence]
                    for sentence in part.sentences
                ],
            }
            for part in self.parts
        ]

    @classmethod
    def load(cls, values: Any, place: str) -> Timed:
        """Read what ``dump`` wrote.

        Raises:
            DataError: naming ``place``: something else.
        """
        try:
            return cls(tuple(_part(value) for value in values))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise DataError(
                f"{place}: sections: not as `onsei song prepare` writes them ({error})", "mend it"
            ) from None


def joined(sentence: Sequence[Syllable]) -> str:
    """The text of a sentence; Latin words are parted where a syllable begins with a space."""
    return "".join(syllable.text for syllable in sentence).strip()


def guessed(lyrics: Lyrics, duration: float, seconds_per_tag: float = 1.0, english_as: English = "arpabet") -> Timed:
    """Times for lyrics that have none: tags without words last as they say, phones share the rest alike."""
    silent = sum(section.times * seconds_per_tag for section in lyrics.sections if not section.sentences)
    read = [
        [phonemes(Lyrics((Section("[verse]", (sentence,)),)), english_as).symbols[1:] for sentence in section.sentences]
        for section in lyrics.sections
    ]
    count = sum(len(phones) for section in read for phones in section)
    share = min(1.0, duration / 2 / silent) if silent and count else duration / silent if silent else 0.0
    step = max(0.0, duration - silent * share) / max(count, 1)
    parts, time = [], 0.0
    for section, sentences in zip(lyrics.sections, read, strict=True):
        start, sung = time, []
        for text, phones in zip(section.sentences, sentences, strict=True):
            sung.append((Syllable(text, tuple(phones), time, time + step * len(phones)),))
            time += step * len(phones)
        time += 0.0 if section.sentences else section.times * seconds_per_tag * share
        parts.append(Part(section.tag, start, time, tuple(sung)))
    return Timed(tuple(parts))


def _inside(sentence: Iterable[Syllable], start: float, end: float) -> tuple[Syllable, ...]:
    return tuple(
        one._replace(start=one.start - start, end=one.end - start)
        for one in sentence
        if start <= (one.start + one.end) / 2 < end
    )


def _part(value: Mapping[str, Any]) -> Part:
    if value["tag"] not in TAGS:
        raise ValueError(f"{value['tag']!r} is no tag")
    sentences = tuple(
        tuple(Syllable(str(text), tuple(phones.split()), float(start), float(end)) for text, phones, start, end in one)
        for one in value["sentences"]
    )
    return Part(value["tag"], float(value["start"]), float(value["end"]), sentences)
