"""The speakers of the demo: espeak-ng voices to train on, and one that training never hears."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from onsei.errors import DataError


@dataclass(frozen=True)
class Voice:
    """One speaker: an espeak-ng accent and timbre with its own pitch and pace.

    Variants with breath in their sound (f2, f3, f5 among them) are no good here: they differ from run to run.
    """

    name: str
    """The speaker's name in manifests; part of file names."""
    espeak: str
    """espeak-ng language, and after ``+`` a variant that changes the timbre, e.g. ``en-us+f4``."""
    pitch: int = 50
    """Mean pitch, 0-100; 50 is the voice's own."""
    rate: int = 170
    """Words a minute."""


TRAINING = (
    Voice("american", "en-us", 50, 185),
    Voice("american-linda", "en-us+linda", 55, 190),
    Voice("american-deep", "en-us+m8", 45, 175),
    Voice("american-steph", "en-us+steph", 50, 195),
    Voice("newyork", "en-us-nyc+m7", 45, 180),
    Voice("newyork-anika", "en-us-nyc+anika", 55, 190),
    Voice("british", "en+m3", 50, 185),
    Voice("british-belinda", "en+belinda", 50, 195),
    Voice("received", "en-gb-x-rp", 45, 175),
    Voice("received-woman", "en-gb-x-rp+f4", 60, 185),
    Voice("received-aunty", "en-gb-x-rp+aunty", 50, 180),
    Voice("scottish", "en-gb-scotland+m4", 50, 180),
    Voice("scottish-linda", "en-gb-scotland+linda", 50, 190),
    Voice("midlands", "en-gb-x-gbcwmd+m1", 40, 190),
    Voice("midlands-belinda", "en-gb-x-gbcwmd+belinda", 60, 180),
    Voice("caribbean", "en-029+m6", 50, 185),
)
"""Sixteen speakers in seven accents, of women and men."""

HELD_OUT = Voice("lancaster-andy", "en-gb-x-gbclan+Andy", 50, 170)
"""The speaker of the test: neither its accent nor its timbre is in training."""


def check_apart(training: Sequence[Voice], held_out: Voice) -> None:
    """Check that the voices can make an honest test.

    Raises:
        DataError: no training voice, a name given twice, or the held-out voice is one of the training voices.
    """
    if not training:
        raise DataError("the demo's corpus has no training voice", "name at least one")
    twice = [name for name, count in Counter(voice.name for voice in training).items() if count > 1]
    if twice:
        raise DataError(f"training voices of the same name: {', '.join(twice)}", "give every voice a name of its own")
    for voice in training:
        if held_out.name == voice.name or held_out.espeak.lower() == voice.espeak.lower():
            raise DataError(
                f"the held-out voice {held_out.name} ({held_out.espeak}) is also a training voice",
                "hold out a voice that training does not hear, or the test proves nothing",
            )
