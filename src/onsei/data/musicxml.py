"""Scores in MusicXML, plain or compressed: the notes of one voice as they are sung, with their words.

Ties are one note, chords their first note. Repeats, endings and jumps (D.C., D.S., Fine, Coda) are followed; the k-th
time through, the k-th verse is sung where there is one. Times are quarter notes and, by the score's tempi, seconds.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree.ElementTree import ParseError

from onsei.data.scoreform import Measure, played
from onsei.errors import DataError

SUFFIXES = (".musicxml", ".xml", ".mxl")
_LARGEST = 64 << 20
_TEMPO = 120.0
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_UNITS = {"whole": 4.0, "half": 2.0, "quarter": 1.0, "eighth": 0.5, "16th": 0.25}


class Syllable(NamedTuple):
    """What is sung on a note."""

    text: str
    joins: bool
    """Whether the word goes on with the next syllable."""


@dataclass(frozen=True)
class Note:
    """A sung note."""

    onset: float
    """Quarter notes from the beginning, repeats written out."""
    length: float
    """Quarter notes."""
    pitch: int
    """MIDI number."""
    syllable: Syllable | None
    """None where the syllable before it goes on (melisma)."""
    bar: int
    """Number of its bar as sung, from 0."""
    breath: bool = False
    """Whether a breath mark follows."""
    verses: tuple[int, ...] = ()
    """Verses that the note has words for."""

    @property
    def end(self) -> float:
        """Quarter notes."""
        return self.onset + self.length


class Bar(NamedTuple):
    """A bar as sung."""

    onset: float
    """Quarter notes."""
    length: float
    """Quarter notes."""
    beat: float
    """Quarter notes of a beat; dotted in 6/8, 9/8 and 12/8."""
    words: tuple[str, ...]
    """Rehearsal marks and directions in it."""


@dataclass(frozen=True)
class Score:
    """One voice of a score."""

    part: str
    """Name of the part, or its id."""
    notes: tuple[Note, ...]
    bars: tuple[Bar, ...]
    tempi: tuple[tuple[float, float], ...]
    """From which quarter note on, how many quarter notes a minute."""
    faults: tuple[str, ...] = field(default=())
    """What was passed over."""

    def seconds(self, quarter: float) -> float:
        """Seconds from the beginning to a quarter note."""
        total = 0.0
        for number, (start, tempo) in enumerate(self.tempi):
            if start >= quarter:
                break
            end = self.tempi[number + 1][0] if number + 1 < len(self.tempi) else quarter
            total += (min(end, quarter) - start) * 60.0 / tempo
        return total

    @property
    def end(self) -> float:
        """Quarter notes from the beginning to the last bar's end."""
        return self.bars[-1].onset + self.bars[-1].length if self.bars else 0.0


def read(path: Path, part: str = "") -> Score:
    """Read the part that is sung.

    Args:
        path: a ``.musicxml``, ``.xml`` or ``.mxl`` file.
        part: the part's name or id, or its number from 1; needed where several parts have words.

    Raises:
        DataError: no MusicXML, a broken file, one with entities; no words; several parts with words, or no such part.
    """
    ident, name, chosen = _choose(path, _parts(path), part)
    try:
        return _Reader(chosen).score(name or ident)
    except (ValueError, ZeroDivisionError) as error:
        raise DataError(f"{path}: part {name or ident!r}: {error}", "save the score again with its editor") from None


def parts(path: Path) -> list[tuple[str, bool]]:
    """Name (or id) of each part, and whether it has words. Errors as of ``read``."""
    return [(name or ident, part.find(".//lyric/text") is not None) for ident, name, part in _parts(path)]


def _parts(path: Path) -> list[tuple[str, str, Any]]:
    root = _root(path)
    if root.tag != "score-partwise":
        raise DataError(f"{path}: expected score-partwise, found {root.tag}", "save the score as partwise MusicXML")
    names = {one.get("id", ""): (one.findtext("part-name") or "").strip() for one in root.iter("score-part")}
    return [(one.get("id", ""), names.get(one.get("id", ""), ""), one) for one in root.findall("part")]


def _root(path: Path) -> Any:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        return fromstring(_bytes(path), forbid_dtd=False, forbid_entities=True, forbid_external=True)
    except DefusedXmlException as error:
        raise DataError(f"{path}: has XML entities, which scores do not need: {error}", "remove its DTD") from None
    except (ParseError, ValueError, LookupError) as error:
        raise DataError(f"{path}: no readable XML: {error}", "save the score again with its editor") from None


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            raise DataError(f"{path}: larger than {_LARGEST >> 20} MiB", "no score is that large: check the file")
        if path.suffix.lower() != ".mxl":
            return path.read_bytes()
        with zipfile.ZipFile(path) as packed:
            inside = [
                one
                for one in packed.infolist()
                if one.filename.lower().endswith((".musicxml", ".xml")) and not one.filename.startswith("META-INF")
            ]
            if not inside or inside[0].file_size > _LARGEST:
                raise DataError(f"{path}: holds no score", "save the score again with its editor")
            return packed.read(inside[0])
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: {error}", "save the score again with its editor") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}", "check the path") from None


def _choose(path: Path, parts: list[tuple[str, str, Any]], wanted: str) -> tuple[str, str, Any]:
    told = ", ".join(repr(name or ident) for ident, name, _ in parts)
    if wanted:
        for number, (ident, name, one) in enumerate(parts, 1):
            if wanted.casefold() in (ident.casefold(), name.casefold(), str(number)):
                return ident, name, one
        raise DataError(f"{path}: no part {wanted!r}; it has {told}", "name one of them with --part")
    sung = [entry for entry in parts if entry[2].find(".//lyric/text") is not None]
    if not sung:
        raise DataError(f"{path}: no part has words ({told or 'no parts'})", "give a score with lyrics")
    if len(sung) > 1:
        told = ", ".join(repr(name or ident) for ident, name, _ in sung)
        raise DataError(f"{path}: {len(sung)} parts have words: {told}", "choose one with --part")
    return sung[0]


class _Written(NamedTuple):
    """A note as it stands in a bar, before repeats are written out."""

    offset: float
    length: float
    pitch: int
    voice: str
    syllables: dict[int, Syllable]
    tied: bool
    breath: bool


class _Reader:
    """Reads the bars of one part."""

    def __init__(self, part: Any) -> None:
        self.divisions, self.beats = 1.0, (4.0, 1.0)
        self.written: list[list[_Written]] = []
        self.measures: list[Measure] = []
        self.lengths: list[tuple[float, float]] = []
        self.tempi: list[list[tuple[float, float]]] = []
        self.words: list[tuple[str, ...]] = []
        for bar in part.findall("measure"):
            self._measure(bar)

    def _measure(self, bar: Any) -> None:
        place = longest = 0.0
        onset = 0.0
        notes: list[_Written] = []
        tempi: list[tuple[float, float]] = []
        for entry in bar:
            if entry.tag == "attributes":
                self._attributes(entry)
            elif entry.tag in ("backup", "forward"):
                place += (1 if entry.tag == "forward" else -1) * self._length(entry)
            elif entry.tag in ("direction", "sound"):
                tempo = _tempo(entry)
                tempi += [(place, tempo)] if tempo else []
            elif entry.tag == "note" and entry.find("grace") is None and entry.find("cue") is None:
                length = self._length(entry)
                if entry.find("chord") is None:
                    onset, place = place, place + length
                    if entry.find("pitch") is not None:
                        notes.append(_written(entry, onset, length))
            longest = max(longest, place)
        self.written.append(notes)
        self.tempi.append(tempi)
        # A bar that is short (an upbeat) or over-full lasts as long as what is in it.
        self.lengths.append((longest or self.beats[0], self.beats[1]))
        self.words.append(tuple(_directions(bar)))
        self.measures.append(Measure.of(bar))

    def _attributes(self, entry: Any) -> None:
        if (divisions := entry.findtext("divisions")) is not None:
            self.divisions = float(divisions)
            if not self.divisions > 0:
                raise ValueError(f"divisions: expected more than 0, found {divisions}")
        time = entry.find("time")
        if time is not None and time.findtext("beats") and time.findtext("beat-type"):
            count = sum(float(one) for one in time.findtext("beats").split("+"))
            unit = 4.0 / float(time.findtext("beat-type"))
            self.beats = (count * unit, unit * (3 if unit < 1 and count > 3 and count % 3 == 0 else 1))

    def _length(self, entry: Any) -> float:
        length = float(entry.findtext("duration") or 0) / self.divisions
        if not 0 <= length < 1e6:
            raise ValueError(f"duration: expected 0 or more, found {entry.findtext('duration')}")
        return length

    def score(self, name: str) -> Score:
        """The part with repeats written out."""
        counted: dict[str, int] = {}
        for one in (one for bar in self.written for one in bar if one.syllables):
            counted[one.voice] = counted.get(one.voice, 0) + 1
        if not counted:
            raise ValueError("has no words")
        voice = max(counted, key=lambda key: counted[key])
        faults = [f"voice {key}: {count} syllables" for key, count in counted.items() if key != voice]
        notes: list[Note] = []
        bars: list[Bar] = []
        tempi: list[tuple[float, float]] = []
        onset = 0.0
        for number, verse in played(self.measures):
            length, beat = self.lengths[number]
            bars.append(Bar(onset, length, beat, self.words[number]))
            tempi += [(onset + offset, tempo) for offset, tempo in self.tempi[number]]
            for one in self.written[number]:
                if one.voice == voice:
                    _append(notes, one, onset, len(bars) - 1, verse)
            onset += length
        unsung = sorted(
            {verse for note in notes for verse in note.verses} - {verse for _, verse in played(self.measures)}
        )
        faults += [f"verse {verse} is never sung: no repeat leads to it" for verse in unsung]
        if not tempi or tempi[0][0] > 0:
            tempi.insert(0, (0.0, tempi[0][1] if tempi else _TEMPO))
            faults += [] if len(tempi) > 1 else [f"no tempo: {_TEMPO:.0f} quarter notes a minute assumed"]
        return Score(name, tuple(notes), tuple(bars), tuple(tempi), tuple(faults))


def _append(notes: list[Note], one: _Written, start: float, bar: int, verse: int) -> None:
    last = notes[-1] if notes else None
    onset = start + one.offset
    if one.tied and last is not None and last.pitch == one.pitch and abs(last.end - onset) < 1e-6:
        notes[-1] = replace(last, length=last.length + one.length, breath=one.breath)
        return
    syllable = one.syllables.get(verse) or (one.syllables.get(min(one.syllables)) if one.syllables else None)
    notes.append(Note(onset, one.length, one.pitch, syllable, bar, one.breath, tuple(sorted(one.syllables))))


def _written(entry: Any, onset: float, length: float) -> _Written:
    step, octave = entry.findtext("pitch/step"), entry.findtext("pitch/octave")
    if step not in _STEPS or octave is None:
        raise ValueError(f"pitch: expected a step from A to G and an octave, found {step} {octave}")
    pitch = 12 * (int(octave) + 1) + _STEPS[step] + round(float(entry.findtext("pitch/alter") or 0))
    tied = any(one.get("type") == "stop" for one in entry.findall("tie"))
    breath = entry.find(".//breath-mark") is not None
    syllables = {} if tied else dict(_syllables(entry))
    return _Written(onset, length, pitch, entry.findtext("voice") or "1", syllables, tied, breath)


def _syllables(entry: Any) -> Iterator[tuple[int, Syllable]]:
    for place, lyric in enumerate(entry.findall("lyric"), 1):
        text = "".join(one.text or "" for one in lyric if one.tag in ("text", "elision")).strip(" \t\n\u3000\u00a0")
        number = lyric.get("number", "")
        if text:
            joins = [one.text for one in lyric.findall("syllabic")][-1:] in (["begin"], ["middle"])
            yield (int(number) if number.isdecimal() else place), Syllable(text, joins)


def _tempo(entry: Any) -> float:
    sound = entry if entry.tag == "sound" else entry.find("sound")
    if sound is not None and sound.get("tempo"):
        tempo = float(sound.get("tempo"))
    else:
        mark = entry.find(".//metronome")
        rate = (mark.findtext("per-minute") or "") if mark is not None else ""
        if not rate.replace(".", "", 1).isdecimal():
            return 0.0
        dots = 1.5 if mark.find("beat-unit-dot") is not None else 1.0
        tempo = float(rate) * _UNITS.get(mark.findtext("beat-unit") or "quarter", 1.0) * dots
    if not 1 <= tempo <= 1000:
        raise ValueError(f"tempo: expected 1 to 1000 quarter notes a minute, found {tempo}")
    return tempo


def _directions(bar: Any) -> Iterator[str]:
    for one in bar.iterfind("direction/direction-type/*"):
        if one.tag in ("rehearsal", "words") and (one.text or "").strip():
            yield one.text.strip()
