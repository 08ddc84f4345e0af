"""Who speaks: vowels as parameters of the tract; speakers of their own size, pitch and place in the scanner.

F moments, P parameters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onsei.demo.tract.shape import PARAMETERS, REST, Numbers

VOWELS = {
    "a": (1.25, 0.32, 0.74, 0.0, 1.37, 0.0, 0.0),
    "i": (0.0, 0.772, 1.42, 0.03, 0.65, 0.0, 0.0),
    "u": (0.0, 0.687, 1.19, 0.0, 0.195, 0.3, 0.0),
    "e": (0.46, 0.756, 1.08, 0.0, 1.08, 0.0, 0.0),
    "o": (0.7, 0.423, 1.15, -0.05, 0.51, 0.51, 0.0),
}
"""Parameters of the Japanese vowels, in the order of ``PARAMETERS``: those nearest a relaxed posture whose first two
resonances are the published ones."""
PUBLISHED = {"a": (753, 1385), "i": (315, 2172), "u": (367, 1332), "e": (500, 1947), "o": (520, 997)}
"""F1 and F2 in Hz of Japanese men, means of 765 to 917 tokens a vowel in words: C.-H. Jo, doctoral thesis, Kyoto
University, table 4.2 (http://winnie.kuis.kyoto-u.ac.jp/members/chjo/main/node104.html)."""
_SETTLING = 0.15
"""Seconds in which the tract goes from one vowel to the next."""
_RISE = 0.6
"""cm that the larynx rises with an octave."""


@dataclass(frozen=True)
class Speaker:
    """A speaker."""

    name: str = "one"
    scale: float = 1.0
    """Size of the tract; a smaller one has higher resonances."""
    pitch: float = 115.0
    """Hz in the middle of the voice."""
    shift: tuple[float, float] = (0.0, 0.0)
    """cm by which the head lies to the right and up."""
    tilt: float = 0.0
    """Radians by which it is turned."""
    brightness: float = 1.0
    """Of the tissue."""


@dataclass(frozen=True)
class Vowel:
    """A vowel in an utterance."""

    begin: float
    """Seconds."""
    end: float
    name: str


@dataclass(frozen=True)
class Course:
    """How tract and voice move."""

    parameters: Numbers
    """(F, P)."""
    pitch: Numbers
    """Hz, (F,)."""
    loudness: Numbers
    """0..1, (F,)."""


def course(vowels: list[Vowel], times: Numbers, speaker: Speaker, random: np.random.Generator) -> Course:
    """Where everything is at ``times``, in seconds (F,): smooth ways from vowel to vowel, no token like the other."""
    step = 0.004
    clock = np.arange(-0.5, float(times.max(initial=0.0)) + 0.5, step)
    targets, voiced = np.tile(REST, (len(clock), 1)), np.zeros(len(clock))
    high = np.full(len(clock), 1.0)
    for vowel in vowels:
        inside = (clock >= vowel.begin) & (clock < vowel.end)
        spread = np.array([0.06, 0.006, 0.04, 0.03, 0.05, 0.02, 0.0])
        targets[inside] = np.array(VOWELS[vowel.name]) + random.normal(0, spread)
        voiced[inside] = 1.0
        high[inside] = random.uniform(0.9, 1.15)
    # The mouth opens before the voice begins and closes after it ends.
    silent = voiced == 0
    if vowels:
        nearest = np.abs(clock[:, None] - clock[~silent][None]).argmin(axis=1)
        distance = np.abs(clock - clock[~silent][nearest])
        early = silent & (distance < 0.1)
        targets[early] = targets[~silent][nearest[early]]
    parameters = np.stack([_smoothed(column, _SETTLING / step) for column in targets.T], axis=1)
    declining = 1.08 - 0.16 * (clock - clock[0]) / (clock[-1] - clock[0])
    wavering = np.exp(0.01 * _smoothed(random.normal(size=len(clock)), 0.2 / step) * np.sqrt(0.2 / step))
    pitch = speaker.pitch * _smoothed(high, 0.2 / step) * declining * wavering
    parameters[:, PARAMETERS.index("larynx")] += _RISE * np.log2(pitch / speaker.pitch)
    parameters = np.maximum(parameters, [0, 0, 0, -1, 0.05, 0, -2])
    loudness = _smoothed(voiced, 0.06 / step)
    loudness = np.where(loudness < 1e-3, 0.0, loudness)
    parts = [np.interp(times, clock, column) for column in parameters.T]
    return Course(np.stack(parts, axis=1), np.interp(times, clock, pitch), np.interp(times, clock, loudness))


def _smoothed(values: Numbers, width: float) -> Numbers:
    window = np.hanning(max(3, round(width) + 2))
    padded = np.pad(values, len(window), mode="edge")
    return np.convolve(padded, window / window.sum(), "same")[len(window) : -len(window)]


def drawn(random: np.random.Generator, seconds: float) -> list[Vowel]:
    """An utterance of vowels, no two alike in a row, now and then a pause; each as long as the others on average."""
    vowels: list[Vowel] = []
    at, last = 0.25 + random.uniform(0, 0.1), ""
    bag: list[str] = []
    while True:
        long = random.uniform(0.18, 0.42)
        rest = seconds - 0.25 - at
        if long > rest:
            if vowels or rest < 0.1:
                return vowels
            long = rest  # a short utterance is one short vowel
        bag = bag or list(random.permutation(list(VOWELS)))
        name = next((v for v in bag if v != last), bag[0])
        bag.remove(name)
        vowels.append(Vowel(round(at, 4), round(at + long, 4), str(name)))
        at, last = at + long, name
        if random.random() < 0.12:
            at += random.uniform(0.25, 0.4)
