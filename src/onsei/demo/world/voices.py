"""Who speaks the world's language: 58 timbres of espeak-ng, every sixth of them only in the unseen test."""

from __future__ import annotations

ACCENT = "sw"
"""espeak-ng language whose sounds the invented words are read with: open syllables, five vowels."""
VARIANTS = (
    "Alex", "Andrea", "Andy", "Annie", "Denis", "Diogo", "Gene", "Henrique", "Hugo", "Jacky", "Lee", "Marco", "Mario",
    "Michael", "Mike", "Nguyen", "adam", "anika", "antonio", "aunty", "belinda", "benjamin", "boris", "caleb", "david",
    "ed", "edward", "f1", "f4", "grandma", "grandpa", "gustave", "ian", "iven", "john", "linda", "m1", "m2", "m3",
    "m4", "m5", "m6", "m7", "m8", "marcelo", "max", "michel", "miguel", "norbert", "pablo", "paul", "quincy", "rob",
    "robert", "shelby", "steph", "travis", "zac",
)  # fmt: skip
"""Without those that are no human voice, nearly another one, or, for their breath, different from run to run."""
_EVERY = 6
UNSEEN = VARIANTS[_EVERY - 1 :: _EVERY] + VARIANTS[:1]
"""Heard in the unseen test alone."""
SEEN = tuple(name for name in VARIANTS if name not in UNSEEN)
