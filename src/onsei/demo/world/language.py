"""The world's language: invented stems of two syllables, a plural ending, and an order of words unlike English."""

from __future__ import annotations

import random
from dataclasses import dataclass

from onsei.demo.world.scenes import COLORS, RELATIONS, SHAPES, Group, Scene

_CONSONANTS, _VOWELS = "ptkbdgmnslwjfz", "aeiou"
_PLURAL = "ni"
_COUNTED = ("two", "three")
_APART = 2
"""Fewest letters in which two stems differ."""


@dataclass(frozen=True)
class Language:
    """Nouns come before colors and numbers, the second group before the first, the relation last."""

    stems: dict[str, str]
    """Stem by meaning: shapes, colors, ``two``, ``three`` and relations. One of a kind has no number."""

    @classmethod
    def drawn(cls, seed: int = 0, colors: int = len(COLORS)) -> Language:
        """The language of ``seed``, with words for the first ``colors`` colors."""
        meanings = (*SHAPES, *COLORS[:colors], *_COUNTED, *RELATIONS)
        draw = random.Random(f"language/{seed}")
        chosen: list[str] = []
        while len(chosen) < len(meanings):
            stem = "".join(draw.choice(_CONSONANTS) + draw.choice(_VOWELS) for _ in range(2))
            if stem[2:] != _PLURAL and all(sum(a != b for a, b in zip(stem, o, strict=True)) >= _APART for o in chosen):
                chosen.append(stem)
        return cls(dict(zip(meanings, chosen, strict=True)))

    def sentence(self, scene: Scene) -> str:
        """What a speaker says of ``scene``: second group, first group, relation."""
        return f"{self._said(scene.second)}, {self._said(scene.first)} {self.stems[scene.relation]}"

    def _said(self, group: Group) -> str:
        noun, color = self.stems[group.shape], self.stems[group.color]
        if group.count == 1:
            return f"{noun} {color}"
        return f"{noun}{_PLURAL} {color} {self.stems[_COUNTED[group.count - 2]]}"
