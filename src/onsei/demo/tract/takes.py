"""Takes: what a simulated speaker says, as film, sound, labels and known contours.

F frames, T samples, K points.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onsei.demo.tract.scanner import contour, film
from onsei.demo.tract.shape import Numbers
from onsei.demo.tract.speaker import Speaker, Vowel, course, drawn
from onsei.demo.tract.tube import resonances, tube
from onsei.demo.tract.voice import moments, sound
from onsei.paths import write_text, written_aside
from onsei.vision import film as films

RATE = 11413
"""Samples a second."""
HOP = 420
"""Samples a frame."""
FRAMES = Fraction(RATE, HOP)
"""Frames a second: those of the ATR database of articulatory films."""


@dataclass(frozen=True)
class Take:
    """One utterance."""

    speaker: Speaker
    vowels: list[Vowel]
    frames: NDArray[np.uint8]
    """(F, 256, 256)."""
    sound: NDArray[np.float32]
    """(T,), T = F · 420, at 11413 Hz."""
    points: Numbers
    """Points on tongue, jaw, lower lip and epiglottis along the air, (F, K, 2): x, y in pixels."""
    resonances: Numbers
    """F1 to F3 of the tract in Hz, (F, 3); known, not measured."""
    voiced: NDArray[np.bool_]
    """(F,)."""
    labels: list[str]
    """The vowel in the middle of each frame, empty where there is none."""


def take(seed: int, *, seconds: float = 4.0, vowels: list[Vowel] | None = None, speaker: Speaker | None = None) -> Take:
    """An utterance drawn from ``seed``, or of ``vowels``; the same from the same arguments on one machine.

    Frame i shows the tract in the middle of samples 420 · i to 420 · (i + 1).

    Args:
        seed: of everything that is drawn.
        seconds: length, rounded up to whole frames.
        vowels: what is said; drawn by default.
        speaker: who says it.
    """
    random = np.random.default_rng(seed)
    who = speaker if speaker is not None else Speaker()
    said = drawn(random, seconds) if vowels is None else vowels
    count = max(1, ceil(seconds * FRAMES))
    samples = count * HOP
    heard_at, seen_at = moments(samples) / RATE, (np.arange(count) + 0.5) * HOP / RATE
    moving = course(said, np.concatenate([heard_at, seen_at]), who, random)
    heard, seen = moving.parameters[: len(heard_at)], moving.parameters[len(heard_at) :]
    voice = sound(heard, moving.pitch[: len(heard)], moving.loudness[: len(heard)], RATE, samples, random, who.scale)
    names = [next((v.name for v in said if v.begin <= t < v.end), "") for t in seen_at]
    return Take(
        speaker=who,
        vowels=said,
        frames=film(seen, who, random),
        sound=voice,
        points=contour(seen, who),
        resonances=resonances(tube(seen, who.scale)),
        voiced=moving.loudness[len(heard) :] > 0.5,
        labels=names,
    )


def save(made: Take, folder: Path, name: str) -> Path:
    """Write ``NAME.mp4`` with its sound, lossless; ``NAME.json``, its labels; and ``NAME.npz``, its contours.

    ``NAME.npz`` holds ``points`` (F, K, 2) as x, y in pixels, ``size`` (height, width) and ``resonances`` (F, 3) in Hz.
    """
    path = folder / f"{name}.mp4"
    about = {
        "speaker": made.speaker.name,
        "labels": [[vowel.begin, vowel.end, vowel.name] for vowel in made.vowels],
        "frames": len(made.frames),
        "rate": f"{FRAMES.numerator}/{FRAMES.denominator}",
    }
    write_text(folder / f"{name}.json", json.dumps(about) + "\n")
    stream = io.BytesIO()
    np.savez(stream, points=made.points, size=np.array(made.frames.shape[1:]), resonances=made.resonances)
    with written_aside(folder / f"{name}.npz") as aside:
        aside.write_bytes(stream.getvalue())
    films.write(path, made.frames, FRAMES, films.Sound(made.sound, RATE, "flac"), quality=10)
    return path
