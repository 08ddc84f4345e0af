"""Lyrics of a score: its notes' words as phones, sentences from rests and breaths, sections from rests and form."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from onsei.data.musicxml import Note, Score
from onsei.systems.song.data.timed import Part, Syllable, Timed
from onsei.text import english, japanese, kana
from onsei.text.singing import sung

Particles = Literal["auto", "written", "heard"]
"""How a score writes particles: は and へ as everybody writes them, or わ and え as they are sung."""
PHRASE_BEATS = 1.0
"""Beats of rest that end a sentence."""
SECTION_BARS = 2.0
"""Bars of rest that end a section."""
_LONGEST_BARS, _LONGEST_NOTES = 6.0, 16
"""A sentence that has more of both is cut, at a short rest or after a long note."""
_CUT_BARS = (2.0, 4.0, 5.5)
"""Bars from its beginning where it is cut: at least, at best, at most."""
_SHORTEST = 1.0
"""Seconds without singing that get a tag, at least."""
_BREATHS = {"br", "pau", "sil", "rest", "[br]", "[pau]"}
_HOLDS = {"-", "_", "+", "=", "‐", "–", "—"}
_FULL = re.compile("[。．！？!?]+$|(?<=[^\\d])\\.+$")
_MARKS = re.compile('[、。，．・！？!?,.…「」『』（）()"“”*〜~]+')
_LATIN = re.compile("[A-Za-zÀ-ɏ'’-]+")
_ROUNDING = 1e-3
_NAMES = {
    "[chorus]": ("chorus", "refrain", "サビ", "さび"), "[bridge]": ("bridge", "cメロ", "大サビ"),
    "[verse]": ("verse", "aメロ", "bメロ", "a", "b"),
}  # fmt: skip


@dataclass
class Told:
    """What was found on the way."""

    unknown: Counter[str] = field(default_factory=Counter)
    """Texts of notes that could not be read."""
    notes: list[str] = field(default_factory=list)
    """Things to know about the whole, a sentence each."""


def lyrics_of(score: Score, particles: Particles = "auto") -> tuple[Timed, Told]:
    """The lyrics of ``score`` in time.

    A rest of a beat, a breath mark, a syllable ``br`` and a full stop end a sentence; a rest of two bars and a
    rehearsal mark a section. A section whose words come again is a chorus, others are verses, unless the score names
    them. Time without singing is ``[intro]``, ``[inst]`` and ``[outro]``.
    """
    told = Told(notes=list(score.faults))
    phrases = [piece for found in _phrases(score) for piece in _pieces(score, *found)]
    texts = ["".join(note.syllable.text for note in phrase if note.syllable) for phrase, _ in phrases]
    romaji = _is_romaji([note.syllable.text for note in score.notes if note.syllable])
    heard = particles == "heard" or (particles == "auto" and writes_as_heard(texts))
    if romaji:
        told.notes.append("words in Latin letters are read as Japanese")
    elif not heard:
        told.notes.append("は and へ that are particles are sung わ and え")
    sections: list[list[tuple[Syllable, ...]]] = []
    names: list[str] = []
    for phrase, opens in phrases:
        sentence = tuple(_syllables(score, phrase, romaji, heard, told))
        if opens or not sections:
            sections.append([])
            names.append(_named(score, phrase[0]))
        if any(syllable.phones for syllable in sentence):
            sections[-1].append(sentence)
    kept = [(found, name) for found, name in zip(sections, names, strict=True) if found]
    return Timed(tuple(_with_gaps(kept, score.seconds(score.end)))), told


def writes_as_heard(texts: Sequence[str]) -> bool:
    """Whether particles in ``texts``, a phrase each, are written わ and え, as scores for singing machines do.

    Particles written は are looked for by Open JTalk, and those that わ would be if it were は. Chance finds some of
    either: a text is taken as everyday spelling only with two or more of the first, and four times the second.
    """
    written = sum(len(_topics(text)) for text in texts)
    turned = [text.replace("わ", "は") for text in texts]
    heard = sum(len(_topics(text)) for text in turned) - written
    return not (written >= 2 and written > 4 * max(heard, 0))


def _topics(text: str) -> list[int]:
    """Places of は that Open JTalk takes for a particle, where something is before it."""
    return [place for place, spoken in _particles(text) if spoken == "ワ"]


def _particles(text: str) -> Iterator[tuple[int, str]]:
    place = 0
    if not re.fullmatch("[ぁ-ゖァ-ヺー\u4e00-\u9fff々]+", text):
        return
    for word in japanese.words(text):
        found = text.find(word.written, place)
        place = place if found < 0 else found
        if word.particle and word.written in ("は", "へ") and place and found >= 0:
            yield place, word.spoken
        place += len(word.written) if found >= 0 else 0


def _phrases(score: Score) -> Iterator[tuple[list[Note], bool]]:
    """Notes sentence by sentence, each with whether it opens a section."""
    phrase: list[Note] = []
    opens = True
    ended: Note | None = None
    breath = False
    for note in score.notes:
        text = note.syllable.text if note.syllable else ""
        if text.casefold() in _BREATHS:
            breath, ended = True, ended or (phrase[-1] if phrase else None)
            continue
        bar = score.bars[note.bar]
        last = phrase[-1] if phrase else ended
        gap = note.onset - last.end if last is not None else 0.0
        section = last is not None and (gap >= SECTION_BARS * bar.length - _ROUNDING or _rehearsed(score, last, note))
        if phrase and (section or breath or gap >= PHRASE_BEATS * bar.beat - _ROUNDING):
            yield phrase, opens
            phrase, opens = [], False
        opens = opens or section
        breath, ended = note.breath or bool(_FULL.search(text)), None
        phrase.append(note)
    if phrase:
        yield phrase, opens


def _pieces(score: Score, phrase: list[Note], opens: bool) -> Iterator[tuple[list[Note], bool]]:
    """A sentence, or what a long one is cut into: at a rest or after the longest note in reach, near four bars."""
    bar = score.bars[phrase[0].bar].length or 4.0
    while len(phrase) > _LONGEST_NOTES and phrase[-1].end - phrase[0].onset > _LONGEST_BARS * bar:
        least, best, most = (phrase[0].onset + bars * bar for bars in _CUT_BARS)
        reach = [n for n, note in enumerate(phrase[:-1]) if least <= note.end <= most and phrase[n + 1].syllable]
        if not reach:
            break
        last = max(reach, key=lambda n: _as_end(phrase[n], phrase[n + 1], best))
        yield phrase[: last + 1], opens
        phrase, opens = phrase[last + 1 :], False
    yield phrase, opens


def _as_end(note: Note, after: Note, best: float) -> tuple[bool, float, float]:
    """How well a sentence could end with ``note``; larger is better."""
    return after.onset - note.end > _ROUNDING, round(after.onset - note.onset, 3), -abs(note.end - best)


def _rehearsed(score: Score, last: Note, note: Note) -> bool:
    return any(_tag_of(word) for bar in score.bars[last.bar + 1 : note.bar + 1] for word in bar.words)


def _named(score: Score, note: Note) -> str:
    """The tag that a mark in the note's bar, or in the rests before, names; empty where none does."""
    return next((tag for word in score.bars[note.bar].words if (tag := _tag_of(word))), "")


def _tag_of(word: str) -> str:
    plain = re.sub(r"[\s\d.:()\[\]]+", "", word.casefold())
    return next((tag for tag, names in _NAMES.items() if plain in names), "")


def _with_gaps(sections: list[tuple[list[tuple[Syllable, ...]], str]], total: float) -> Iterator[Part]:
    words = Counter(_key(sentences) for sentences, _ in sections)
    time = 0.0
    for number, (sentences, name) in enumerate(sections):
        start, end = sentences[0][0].start, sentences[-1][-1].end
        if start - time >= _SHORTEST:
            yield Part("[inst]" if number else "[intro]", time, start)
        yield Part(name or ("[chorus]" if words[_key(sentences)] > 1 else "[verse]"), start, end, tuple(sentences))
        time = end
    if sections and total - time >= _SHORTEST:
        yield Part("[outro]", time, total)


def _key(sentences: Sequence[Sequence[Syllable]]) -> tuple[str, ...]:
    return tuple(phone for sentence in sentences for syllable in sentence for phone in syllable.phones)


def _is_romaji(texts: list[str]) -> bool:
    latin = [text for text in texts if _LATIN.fullmatch(text) and text.casefold() not in _BREATHS | _HOLDS]
    japanese_ones = sum(kana.latin(text) is not None for text in latin)
    return len(latin) > 0.9 * len(texts) and japanese_ones > 0.9 * len(latin)


def _syllables(score: Score, phrase: list[Note], romaji: bool, heard: bool, told: Told) -> Iterator[Syllable]:
    """The syllables of a sentence; a note without words lengthens the one before."""
    texts = [_MARKS.sub("", note.syllable.text).strip() if note.syllable else "" for note in phrase]
    spoken = {} if romaji or heard else dict(_particles("".join(texts)))
    last: Syllable | None = None
    vowel, place, word = "", 0, False
    for number, (note, text) in enumerate(zip(phrase, texts, strict=True)):
        start, end = score.seconds(note.onset), score.seconds(note.end)
        if not text or text in _HOLDS:
            place += len(text)
            if last is not None:
                last = last._replace(end=end)
            continue
        if last is not None:
            yield last
        if _LATIN.fullmatch(text) and not romaji:
            whole = _word(phrase, texts, number)
            # The word's sounds lie on its first syllable, the others lengthen it.
            phones = () if word else _english(whole, told)
            last = Syllable(text if word else " " + text, phones, start, end)
            syllable = note.syllable
            word = syllable is not None and syllable.joins
        else:
            phones = _japanese(text, romaji, vowel, place, spoken, told)
            last, word = Syllable(text, phones, start, end), False
        place += len(text)
        vowel = last.phones[-1] if last.phones else vowel
    if last is not None:
        yield last


def _word(phrase: list[Note], texts: list[str], first: int) -> str:
    letters = texts[first]
    for number in range(first, len(phrase) - 1):
        syllable = phrase[number].syllable
        if syllable is not None and not syllable.joins:
            break
        letters += texts[number + 1]
    return letters.strip("-")


def _english(word: str, told: Told) -> tuple[str, ...]:
    found = english.pronounced(word)
    told.unknown.update([] if found.known else [word])
    return found.phones


def _japanese(text: str, romaji: bool, vowel: str, place: int, spoken: dict[int, str], told: Told) -> tuple[str, ...]:
    if romaji:
        found = kana.latin(text)
        if found is None and text in ("っ", "cl"):
            found = ("cl",)
        told.unknown.update([] if found is not None else [text])
        return found or sung(text).phones
    changed = "".join(spoken.get(place + offset, letter) for offset, letter in enumerate(text))
    phones: list[str] = []
    for mora in kana.morae(changed):
        written = changed[mora.start : mora.end]
        if mora.phones:
            phones += mora.phones
        elif written == "ー" and (phones or vowel):
            phones.append(vowel)
        else:
            read = sung(changed)  # kanji, digits or what nobody knows
            told.unknown += read.unknown
            return read.phones
    return tuple(phones)
