"""A little singer made of formants: songs of 25 morae whose sound, latents, melody and syllables are all known.

It needs no recordings and no library, so that a network can be shown to learn from lyrics on any machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from onsei.audio import io
from onsei.data import manifest
from onsei.data.row import Row
from onsei.systems.song import sourcefilter
from onsei.systems.song.data.timed import Part, Syllable, Timed
from onsei.systems.song.sourcefilter import CEPSTRA, RATE, STEPS, Course
from onsei.text import kana

MORAE = tuple("アイウエオカキクケコサシスセソタチツテトナニヌネノ")
"""What is sung."""
FRAMES = 8
"""Frames of a note, of 40 ms each, where all are alike."""
LENGTHS = (5, 11)
"""Fewest and most frames of a note where they differ."""
MOST = 12
"""Morae of a song."""
_WHOLE = 16
"""Frames of the network's blocks, of which a song has whole ones: silence ends it."""
_FORMANTS = {
    "a": (800, 1200, 2600), "i": (300, 2300, 3000), "u": (350, 1250, 2300), "e": (480, 1950, 2600),
    "o": (480, 830, 2500), "n": (260, 1050, 2200),
}  # fmt: skip
_NOISES = {  # consonant → steps of silence, steps of noise, Hz of its middle, its width in Hz, level
    "k": (4, 2, 1900, 700, -3.6), "s": (0, 8, 6200, 1500, -3.9), "sh": (0, 8, 3300, 1000, -3.7),
    "t": (4, 2, 4300, 1800, -3.6), "ch": (3, 5, 3300, 1000, -3.6), "ts": (3, 5, 6200, 1500, -3.8),
}  # fmt: skip
_NASAL = 7
"""Steps of an n."""
_GLIDE = 4
"""Steps in which formants move."""
_FADING = (0.7, 0.4, 0.2, 0.1)
"""Loudness of a note's last steps: notes are parted, so that one hears where each ends."""
_SILENCE = -11.0
_SCALE = (0, 2, 4, 7, 9, 12)
"""Semitones of the melodies' scale."""
Wide = NDArray[np.float64]


@dataclass(frozen=True)
class Voice:
    """Who sings."""

    name: str = "alto"
    hertz: float = 220.0
    """The lowest note."""
    length: float = 1.0
    """Of the vocal tract: formants lie that much lower."""
    tilt: float = -1.0
    """Fall of the spectrum with each octave above 500 Hz, in nepers."""
    breath: float = 0.003
    """Share of noise in vowels."""
    vibrato: float = 0.012
    """Depth, as a share of the pitch."""


VOICES = (Voice(), Voice("tenor", 150.0, 1.15, -0.8), Voice("child", 240.0, 0.85, -1.2, 0.008))
"""Voices whose songs are told apart by ear."""


@dataclass(frozen=True)
class Note:
    """A mora on a pitch."""

    mora: str
    semitones: int
    """Above the voice's lowest note."""
    frames: int


class Sounding(NamedTuple):
    """A phone while it sounds."""

    phone: str
    start: int
    """First step."""
    end: int
    """Step behind the last one."""


@dataclass(frozen=True)
class Performance:
    """A song that was sung."""

    voice: Voice
    notes: tuple[Note, ...]
    course: Course

    @property
    def frames(self) -> int:
        """Frames of 40 ms."""
        return len(self.course) // STEPS

    @property
    def latents(self) -> NDArray[np.float32]:
        """As the codec has it, (F, 32)."""
        return sourcefilter.pack(self.course)

    def sound(self, seed: int = 0) -> NDArray[np.float32]:
        """Samples (F · 640,) at 16 kHz."""
        return sourcefilter.spoken(self.course, seed)

    @property
    def onsets(self) -> tuple[int, ...]:
        """First frame of each note."""
        return tuple(int(place) for place in np.cumsum([0, *(note.frames for note in self.notes)])[:-1])

    @property
    def phones(self) -> tuple[Sounding, ...]:
        """Its phones with the steps of 10 ms that they take."""
        found = []
        for note, first in zip(self.notes, self.onsets, strict=True):
            *before, vowel = kana.MORAE[note.mora]
            begin, middle = first * STEPS, first * STEPS + _steps_before(note.mora)
            found += [Sounding(before[0], begin, middle)] if before else []
            found.append(Sounding(vowel, middle, begin + note.frames * STEPS))
        return tuple(found)

    @property
    def timed(self) -> Timed:
        """Its lyrics: one verse, a sentence for every six notes."""
        syllables = [
            Syllable(note.mora, kana.MORAE[note.mora], first / 25, (first + note.frames) / 25)
            for note, first in zip(self.notes, self.onsets, strict=True)
        ]
        sentences = tuple(tuple(syllables[first : first + 6]) for first in range(0, len(syllables), 6))
        return Timed((Part("[verse]", 0.0, self.frames / 25, sentences),))


def compose(
    random: np.random.Generator, morae: int = MOST, *, lengths: tuple[int, int] = (FRAMES, FRAMES)
) -> list[Note]:
    """Morae by chance on a melody that walks along its scale; notes of ``lengths[0]`` to ``lengths[1]`` frames."""
    place = int(random.integers(len(_SCALE)))
    notes = []
    for mora in random.integers(len(MORAE), size=morae):
        notes.append(Note(MORAE[mora], _SCALE[place], int(random.integers(lengths[0], lengths[1] + 1))))
        place = int(np.clip(place + random.integers(-2, 3), 0, len(_SCALE) - 1))
    return notes


def sing(notes: Sequence[Note], voice: Voice = VOICES[0], seed: int = 0) -> Performance:
    """Sing ``notes``: each begins with its consonant, then its vowel to the next one.

    Pitch glides from note to note, and trembles; ``seed`` decides about the trembling.
    """
    random = np.random.default_rng(seed)
    envelopes, voicing = zip(*(_syllable(note, voice) for note in notes), strict=True)
    steps = [note.frames * STEPS for note in notes]
    target = np.repeat([note.semitones for note in notes], steps).astype(np.float64)
    smooth = np.convolve(np.pad(target, (3, 3), mode="edge"), np.full(7, 1 / 7), mode="valid")
    time = np.arange(len(target)) / 100
    tremble = 1 + voice.vibrato * np.sin(2 * np.pi * (5.5 * time + random.random()))
    hertz = voice.hertz * 2 ** (smooth / 12) * tremble
    return Performance(voice, tuple(notes), Course(hertz, np.concatenate(voicing), np.concatenate(envelopes)))


def _syllable(note: Note, voice: Voice) -> tuple[Wide, Wide]:
    """Cepstra (S, C) and voicing (S,) of a note."""
    steps = note.frames * STEPS
    *before, vowel = kana.MORAE[note.mora]
    consonant = before[0] if before else ""
    cepstra = np.repeat(_vowel(vowel, voice)[None], steps, axis=0)
    voicing = np.full(steps, 1 - voice.breath)
    loud = np.ones(steps)
    loud[-STEPS:] = _FADING
    begin = _steps_before(note.mora)
    if consonant == "n":
        cepstra[:begin] = _vowel("n", voice)
    elif consonant:
        silent = _NOISES[consonant][0]
        cepstra[:silent] = _silence()
        cepstra[silent:begin] = _noise(consonant)
        voicing[:begin] = 0.0
    else:
        loud[0] = 0.5
    glide = np.linspace(0, 1, _GLIDE + 2)[1:-1, None]
    start = cepstra[begin - 1] if consonant == "n" else _onset(consonant, vowel, voice)
    cepstra[begin : begin + _GLIDE] = (1 - glide) * start + glide * cepstra[begin : begin + _GLIDE]
    cepstra[:, 0] += np.log(loud) * 32**0.5
    return cepstra, voicing


def _steps_before(mora: str) -> int:
    """Steps of a mora's consonant."""
    consonant = kana.MORAE[mora][0] if len(kana.MORAE[mora]) > 1 else ""
    return _NASAL if consonant == "n" else sum(_NOISES[consonant][:2]) if consonant else 0


def _onset(consonant: str, vowel: str, voice: Voice) -> Wide:
    """What a vowel begins as: after t and s its second formant is near 1700 Hz, after k nearer 2000."""
    if not consonant:
        return _vowel(vowel, voice)
    first, second, third = _FORMANTS[vowel]
    locus = 2000 if consonant == "k" else 1750
    return _resonances((0.8 * first, (second + locus) / 2, third), voice)


@cache
def _vowel(name: str, voice: Voice) -> Wide:
    found = _resonances(_FORMANTS[name], voice)
    if name == "n":
        found = found.copy()
        found[0] -= 1.2 * 32**0.5
    return found


def _resonances(formants: Sequence[float], voice: Voice) -> Wide:
    hertz = _band_hertz()
    level = np.zeros(len(hertz))
    for number, middle in enumerate(formants):
        width = 90 + 40 * number
        level += 1.0 * 0.8**number / (1 + ((hertz - middle / voice.length) / width) ** 2)
    level += 0.02
    tilted = np.log(level) + voice.tilt * np.maximum(0, np.log2(hertz / 500)) * 0.5
    return _to_cepstra(tilted - 2.4)


@cache
def _noise(consonant: str) -> Wide:
    _, _, middle, width, level = _NOISES[consonant]
    hertz = _band_hertz()
    return _to_cepstra(np.maximum(level - 0.5 * ((hertz - middle) / width) ** 2, -9.0))


@cache
def _silence() -> Wide:
    return _to_cepstra(np.full(len(_band_hertz()), _SILENCE))


@cache
def _band_hertz() -> Wide:
    return sourcefilter.band_hertz()


def _to_cepstra(levels: Wide) -> Wide:
    found: Wide = sourcefilter.to_cepstra(levels)
    assert found.shape == (CEPSTRA,)
    return found


def write(
    folder: Path,
    songs: int,
    *,
    seed: int = 0,
    morae: int | tuple[int, int] = MOST,
    lengths: tuple[int, int] = (FRAMES, FRAMES),
    voices: Sequence[Voice] = VOICES[:1],
    name: str = "train",
) -> Path:
    """Sing ``songs`` songs to ``folder``; returns the manifest, with the keys that `onsei song prepare` writes.

    The prompt of a song is another one of the same voice. Songs have so many ``morae``, or from the first to the second
    number of them, alike often.
    """
    fewest, most = (morae, morae) if isinstance(morae, int) else morae
    rows = []
    for number in range(songs):
        random = np.random.default_rng([seed, number])
        voice = voices[number % len(voices)]
        count = fewest + number // len(voices) % (most - fewest + 1)
        performance = sing(compose(random, count, lengths=lengths), voice, number)
        path = folder / name / f"{number:04d}.wav"
        sound = performance.sound(number)
        silence = -performance.frames % _WHOLE
        io.save(path, np.pad(sound, (0, silence * sourcefilter.FRAME)), RATE)
        timed = performance.timed
        after = number + len(voices)
        other = after if after < songs else number % len(voices)
        extra = {
            "recording": f"{name}-{number:04d}",
            "symbols": " ".join(timed.symbols()),
            "sections": timed.dump(),
            "prompt_wav": f"{name}/{other:04d}.wav",
        }
        seconds = (performance.frames + silence) / 25
        row = Row(f"{name}-{number:04d}", path, seconds, str(timed.lyrics()), speaker=voice.name)
        rows.append(replace(row, lang="ja", extra=extra))
    target = folder / f"{name}.jsonl"
    manifest.write(target, rows)
    return target
