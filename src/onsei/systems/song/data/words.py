"""The words of a song in time, from whatever tells them: a score, labels, a text, or a machine that listens."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from onsei.data import lab, musicxml
from onsei.data.row import Phone, Row
from onsei.errors import ConfigError, DataError
from onsei.systems.song.config.prepare import Prepare
from onsei.systems.song.data.corpora import LABELS, SCORE, TEXT
from onsei.systems.song.data.scores import lyrics_of
from onsei.systems.song.data.timed import Part, Syllable, Timed, guessed
from onsei.text import kana
from onsei.text.lyrics import Lyrics, Section, from_symbols, parse
from onsei.text.phones import SECTION, SENTENCE, SYMBOLS, TAGS
from onsei.text.singing import clean_japanese, sung

MADE_BY = "lyrics_by"
"""Key of rows whose lyrics a machine wrote: which."""
_LONG_PAUSE = 4.0
"""Seconds without singing that end a section, where nothing but time tells."""
_STRETCH = 0.02
"""By how much, as a share, a score may be longer or shorter than its sound before its times are stretched."""
_MOST = 1.25
"""By what factor they may differ at all."""
Listener = Callable[[Path, float | None, float | None], Timed]
"""Writes down the singing in a file, from an offset, for so many seconds."""


@dataclass
class Report:
    """What was found in all songs."""

    unknown: Counter[str] = field(default_factory=Counter)
    """Words and characters that no dictionary has."""
    removed: Counter[str] = field(default_factory=Counter)
    """Words that cleaning took out."""
    notes: Counter[str] = field(default_factory=Counter)
    """Things done to songs, and to how many."""


def words_of(row: Row, options: Prepare, report: Report, listen: Listener | None = None) -> tuple[Timed, str]:
    """The words of ``row`` in time, and who wrote them where a machine did.

    Raises:
        DataError: there are none, or they cannot be read.
    """
    duration = row.duration or 0.0
    extra, author = row.extra, ""
    try:
        if SCORE in extra:
            timed = _from_score(Path(extra[SCORE]), duration, options, report)
        elif LABELS in extra:
            timed = from_labels(lab.read(Path(extra[LABELS])), report)
        elif "symbols" in extra:
            timed = from_phones(str(extra["symbols"]), duration)
        elif row.text or TEXT in extra:
            timed = _from_text(row.text or _read(Path(extra[TEXT])), row, duration, options, report)
        elif listen is not None and row.audio is not None:
            author = f"whisper:{Path(options.transcribe).name}"
            timed = listen(row.audio, row.offset, row.duration)
            report.notes["lyrics written down by a machine"] += 1
        else:
            raise DataError(f"{row.id}: no words: no score, labels, text or lyrics", "give some, or --transcribe MODEL")
    except ConfigError as error:
        raise DataError(error.message, error.mend) from None
    return (_cleaned(timed, report) if options.clean_japanese else timed), author


def _from_score(path: Path, duration: float, options: Prepare, report: Report) -> Timed:
    score = musicxml.read(path, _part(path, options))
    timed, told = lyrics_of(score, options.particles)
    report.unknown += told.unknown
    report.notes.update(told.notes)
    length = score.seconds(score.end)
    if duration and not 1 / _MOST < length / duration < _MOST:
        found = f"{path}: the score lasts {length:.1f} s, the sound {duration:.1f} s"
        raise DataError(found, "do they belong together? mend the score's tempo or its repeats")
    if duration and abs(length - duration) > _STRETCH * duration:
        report.notes["score and sound differ in length by more than 2 %: its times are stretched"] += 1
        timed = timed.stretched(duration / length)
    return timed


def _part(path: Path, options: Prepare) -> str:
    """The part that is meant: named, or called like the sound, or the only one."""
    if options.part:
        return options.part
    sung_ones = [name for name, words in musicxml.parts(path) if words]
    wanted = _plain(options.audio_type)
    alike = [name for name in sung_ones if _plain(name) == wanted] or [
        name for name in sung_ones if wanted.startswith(_plain(name)) or _plain(name).startswith(wanted)
    ]
    return alike[0] if len(sung_ones) > 1 and len(alike) == 1 else ""


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()


def from_labels(phones: list[Phone], report: Report) -> Timed:
    """Sentences between pauses, sections between long ones; a syllable ends with its vowel, ``N`` or ``cl``."""
    parts: list[Part] = []
    sentence: list[Syllable] = []
    sentences: list[tuple[Syllable, ...]] = []
    held: list[Phone] = []
    time = ended = 0.0

    def close(until: float) -> None:
        if sentences:
            if sentences[0][0].start - time >= 1:
                parts.append(Part("[inst]" if parts else "[intro]", time, sentences[0][0].start))
            parts.append(Part("[verse]", sentences[0][0].start, until, tuple(sentences)))

    for phone in [*phones, Phone("pau", phones[-1].end if phones else 0.0, phones[-1].end if phones else 0.0)]:
        start, end = phone.start or 0.0, phone.end or 0.0
        if lab.is_silence(phone.symbol) or phone.symbol == "xx":
            if sentence:
                sentences.append(tuple(sentence))
            sentence, held = [], []
            continue
        if sentences and not sentence and not held and start - ended >= _LONG_PAUSE:
            close(ended)
            sentences, time = [], ended
        symbol = {"I": "i", "U": "u"}.get(phone.symbol, phone.symbol)
        if symbol not in SYMBOLS:
            report.unknown[phone.symbol] += 1
            symbol = "UNK"
        held.append(Phone(symbol, start, end))
        ended = end
        if symbol in (*kana.VOWELS, "N", "cl", "UNK"):
            made = tuple(one.symbol for one in held)
            sentence.append(Syllable(kana.spelled(made), made, held[0].start or 0.0, end))
            held = []
    close(ended)
    total = (phones[-1].end or 0.0) if phones else 0.0
    if parts and total - ended >= 1:
        parts.append(Part("[outro]", ended, total))
    if not parts:
        raise DataError("labels: nothing but pauses", "give the labels of a song")
    return Timed(tuple(parts))


def from_phones(text: str, duration: float) -> Timed:
    """Lyrics that are symbols already: phones share the time alike.

    Raises:
        ConfigError: symbols that the table lacks.
    """
    told = from_symbols(text)
    unknown = sorted({symbol for symbol in told.symbols if symbol not in SYMBOLS})
    if unknown or told.symbols[0] not in TAGS:
        found = (
            f"unknown symbols: {' '.join(unknown[:12])}" if unknown else f"begins with {told.symbols[0]!r}, not a tag"
        )
        raise ConfigError(f"phones: {found}", "write e.g. '[verse] s a k u r a . h a n a , [chorus] …'")
    sounds = [symbol for symbol in told.symbols if symbol not in (*TAGS, SENTENCE, SECTION)]
    silent = sum(symbol in TAGS[3:] for symbol in told.symbols)
    step = max(0.0, duration - silent) / max(1, len(sounds))
    parts: list[Part] = []
    time = 0.0
    for symbol in told.symbols:
        if symbol in TAGS:
            again = parts and parts[-1].tag == symbol and not parts[-1].sentences
            length = 1.0 if symbol in TAGS[3:] else 0.0
            parts.append(Part(symbol, parts.pop().start if again else time, time + length))
            time += length
            continue
        last = parts[-1]
        if symbol == SENTENCE:
            parts[-1] = Part(last.tag, last.start, last.end, (*last.sentences, ()))
        elif symbol != SECTION:
            syllable = Syllable(
                kana.spelled([symbol]) if symbol in kana.VOWELS else f"{symbol} ", (symbol,), time, time + step
            )
            before, now = (last.sentences[:-1], last.sentences[-1]) if last.sentences else ((), ())
            time += step
            parts[-1] = Part(last.tag, last.start, time, (*before, (*now, syllable)))
    return Timed(tuple(parts))


def _from_text(text: str, row: Row, duration: float, options: Prepare, report: Report) -> Timed:
    if "[" not in text:
        report.notes["lyrics without a tag: taken for one [verse]"] += 1
        text = "[verse] " + text
    lyrics = parse(text, row.id)
    for section in lyrics.sections:
        for sentence in section.sentences:
            report.unknown += sung(sentence, options.english).unknown
    report.notes["lyrics without times: shared out by phones"] += 1
    return guessed(lyrics, duration, options.seconds_per_tag, options.english)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text ({error})", "save it as UTF-8") from None


def _cleaned(timed: Timed, report: Report) -> Timed:
    """Without syllables that are not Japanese; sections that lose all of theirs lose their tag too."""
    parts = []
    removed = 0
    for part in timed.parts:
        sentences = []
        for sentence in part.sentences:
            kept = []
            for syllable in sentence:
                cleaned = clean_japanese(syllable.text)
                report.removed += cleaned.latin
                removed += bool(cleaned.latin)
                if cleaned.text == syllable.text.strip():
                    kept.append(syllable)
                elif cleaned.text:
                    kept.append(syllable._replace(text=cleaned.text, phones=sung(cleaned.text).phones))
            sentences += [tuple(kept)] if kept else []
        if sentences or not part.sentences:
            parts.append(Part(part.tag, part.start, part.end, tuple(sentences)))
    if not any(part.sentences for part in parts):
        raise DataError(
            f"no Japanese words: {removed} words in Latin letters", "leave out --clean-japanese to keep them"
        )
    return Timed(tuple(parts))


def of_sentences(found: list[tuple[str, float, float]], options: Prepare) -> Timed:
    """Sentences with times, as a machine that listens tells them; sections between long pauses."""
    parts: list[Part] = []
    for text, start, end in found:
        read = guessed(Lyrics((Section("[verse]", (text,)),)), max(0.0, end - start), 1.0, options.english)
        sentence = tuple(one._replace(start=one.start + start, end=one.end + start) for one in read.syllables())
        last = parts[-1] if parts else None
        if last is None or start - last.end >= _LONG_PAUSE:
            before = last.end if last else 0.0
            if start - before >= 1:
                parts.append(Part("[inst]" if last else "[intro]", before, start))
            parts.append(Part("[verse]", start, end, (sentence,)))
        else:
            parts[-1] = Part(last.tag, last.start, end, (*last.sentences, sentence))
    return Timed(tuple(parts))
