"""The line that a song's lyrics are written in: ``[intro] [intro] , [verse] 文. 文 , [chorus] …``, read and checked.

A tag opens a section, ``,`` stands between sections and ``.`` between sentences. Sections without words repeat their
tag, once a second (or once per five seconds, in models of 240 s). A ``,`` counts as the end of a section only before a
tag or at the end, so that sentences may have commas.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from onsei.errors import ConfigError
from onsei.text.phones import INSTRUMENTAL, SECTION, SENTENCE, TAGS, VOCAL
from onsei.text.singing import UNKNOWN, English, Sung, sung

MOST_PHONES = 600
"""Symbols, tags and marks among them, that the released network reads; the rest it does not see."""
MOST_SENTENCES = 49
"""Sentences of a section that have a number of their own; further ones share the last."""
_TAG = re.compile(r"\[\s*([^\[\]]*?)\s*\]")
_END = re.compile(r"(?:[。．｡!！?？\n]|\.(?!\d)|(?<!\d)\.)+")
_EDGES = " \t\u3000,，、"


@dataclass(frozen=True)
class Section:
    """A part of a song's form."""

    tag: str
    """One of ``phones.TAGS``."""
    sentences: tuple[str, ...] = ()
    """Words, a sentence each; none in a section without words."""
    times: int = 1
    """How often the tag stands: how long a section without words lasts."""

    def __str__(self) -> str:
        return " ".join([*[self.tag] * self.times, *([". ".join(self.sentences)] if self.sentences else [])])


@dataclass(frozen=True)
class Lyrics:
    """The lyrics of a song."""

    sections: tuple[Section, ...]

    def __str__(self) -> str:
        return f" {SECTION} ".join(map(str, self.sections))

    @property
    def words(self) -> bool:
        """Whether there is anything to sing."""
        return any(section.sentences for section in self.sections)


def parse(text: str, source: str = "lyrics") -> Lyrics:
    """Read a line of lyrics.

    Raises:
        ConfigError: it is empty, begins without a tag, has tags that no model knows, or words in a section without.
    """
    if not text.strip():
        raise ConfigError(f"{source}: empty", "write e.g. '[verse] さくら. さくら , [chorus] はるのそら'")
    tags = list(_TAG.finditer(text))
    before = text[: tags[0].start()] if tags else text
    if before.strip(_EDGES + "."):
        raise ConfigError(
            f"{source}: begins with {before.strip()[:40]!r}, not with a tag", f"begin with one of {' '.join(TAGS)}"
        )
    faults, sections = [], list[Section]()
    for number, tag in enumerate(tags):
        name = f"[{tag[1].lower()}]"
        end = tags[number + 1].start() if number + 1 < len(tags) else len(text)
        body = text[tag.end() : end]
        sentences = tuple(piece.strip(_EDGES) for piece in _END.split(body) if piece.strip(_EDGES))
        if name not in TAGS:
            faults.append(f"{tag[0]} is no tag")
        elif name in INSTRUMENTAL and sentences:
            faults.append(f"words under {name}, where nothing is sung: {sentences[0][:30]!r}")
        joined = sections and number and not text[tags[number - 1].end() : tag.start()].strip()
        if joined and sections[-1].tag == name and not sections[-1].sentences:
            sections[-1] = Section(name, sentences, sections[-1].times + 1)
        else:
            sections.append(Section(name, sentences))
    if faults:
        mend = f"sung: {' '.join(VOCAL)}; not sung: {' '.join(INSTRUMENTAL)}"
        raise ConfigError(f"{source}: {'; '.join(faults[:8])}", mend)
    return Lyrics(tuple(sections))


@dataclass(frozen=True)
class Phonemes:
    """Lyrics in symbols of the table of phones."""

    symbols: tuple[str, ...]
    unknown: Counter[str]
    """What could not be read, and how often."""
    places: tuple[tuple[int, int], ...]
    """Of each symbol, the section and the sentence in it, from 0; -1 where there is none."""

    def __str__(self) -> str:
        return " ".join(self.symbols)


def phonemes(lyrics: Lyrics, english_as: English = "arpabet") -> Phonemes:
    """Symbols of ``lyrics``: tags, phones, ``.`` between sentences, ``,`` between sections."""
    symbols: list[str] = []
    places: list[tuple[int, int]] = []
    unknown: Counter[str] = Counter()

    def add(more: Sequence[str], section: int, sentence: int = -1) -> None:
        symbols.extend(more)
        places.extend([(section, sentence)] * len(more))

    for number, section in enumerate(lyrics.sections):
        add([SECTION] if number else [], number)
        add([section.tag] * section.times, number)
        for count, sentence in enumerate(section.sentences):
            read: Sung = sung(sentence, english_as)
            add([SENTENCE] if count else [], number, count)
            add(read.phones, number, count)
            unknown += read.unknown
    return Phonemes(tuple(symbols), unknown, tuple(places))


def from_symbols(text: str, source: str = "phones") -> Phonemes:
    """Symbols that are written out with spaces between, as ``[verse] s a k u r a . h a n a``; none is looked up."""
    symbols = tuple(text.split())
    if not symbols:
        raise ConfigError(f"{source}: empty", "write e.g. '[verse] s a k u r a'")
    places: list[tuple[int, int]] = []
    section, sentence = -1, -1
    for symbol in symbols:
        if symbol in TAGS:
            section, sentence = section + 1, -1
            places.append((max(section, 0), -1))
            continue
        sentence = max(sentence, 0) + (symbol == SENTENCE)
        places.append((max(section, 0), -1 if symbol == SECTION else sentence))
    return Phonemes(
        symbols, Counter({UNKNOWN: symbols.count(UNKNOWN)}) if UNKNOWN in symbols else Counter(), tuple(places)
    )


def faults(lyrics: Lyrics, told: Phonemes, most: int = MOST_PHONES) -> list[str]:
    """What the network will not see or cannot tell apart, each as a sentence; none where all is well."""
    found = []
    if len(told.symbols) > most:
        section, sentence = told.places[most]
        words = lyrics.sections[section].sentences
        where = f" at {words[sentence][:30]!r}" if 0 <= sentence < len(words) else ""
        found.append(
            f"{len(told.symbols)} phones and marks, of which the network reads {most}: it stops in section "
            f"{section + 1}, {lyrics.sections[section].tag}{where}"
        )
    for number, one in enumerate(lyrics.sections, 1):
        if len(one.sentences) > MOST_SENTENCES:
            count = len(one.sentences)
            found.append(
                f"section {number}, {one.tag}: {count} sentences, from {MOST_SENTENCES} on they share a number"
            )
    if told.unknown:
        shown = ", ".join(f"{word!r}" for word, _ in told.unknown.most_common(12))
        found.append(f"not in any dictionary, sung letter by letter or as UNK: {shown}")
    if not lyrics.words:
        found.append("no words: an instrumental piece")
    return found
