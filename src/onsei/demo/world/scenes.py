"""Scenes: two groups of equal shapes and how they lie to each other; what English says of them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

SHAPES = ("circle", "square", "triangle", "star", "heart", "diamond", "cross", "ring")
COLORS = (
    "red", "green", "blue", "yellow", "purple", "orange", "black", "white",
    "pink", "brown", "turquoise", "lime", "navy", "maroon", "teal", "lilac",
    "tan", "mint", "coral", "violet", "azure", "gold",
)  # fmt: skip
RELATIONS = ("left of", "right of", "above", "below")
COUNTS = (1, 2, 3)
_NUMBERS = {1: "a", 2: "two", 3: "three"}
_PLURALS = {"cross": "crosses"}


@dataclass(frozen=True)
class Group:
    """Some equal shapes."""

    count: int
    color: str
    shape: str


@dataclass(frozen=True)
class Scene:
    """A group, and where it lies as seen from the other."""

    first: Group
    relation: str
    second: Group

    def slots(self) -> dict[str, str]:
        """The words to get right, by what they tell, in their order in the English sentence."""
        words = [_named(group).split() for group in (self.first, self.second)]
        found = {
            name: " ".join(part[place] for part in words) for place, name in enumerate(("count", "color", "shape"))
        }
        return found | {"relation": self.relation}


def held_out(seed: int = 0, colors: int = len(COLORS)) -> frozenset[tuple[str, str]]:
    """Two pairs (color, shape) of each of the first ``colors`` colors, a quarter of all: no training scene shows them.

    Each shape is in about as many of them as another one; in just as many where ``colors`` is a multiple of 8.
    """
    draw = random.Random(f"held out/{seed}")
    names, shapes = draw.sample(COLORS[:colors], colors), draw.sample(SHAPES, len(SHAPES))
    step = draw.randrange(1, len(SHAPES))
    return frozenset((name, shapes[(i + k) % len(SHAPES)]) for i, name in enumerate(names) for k in (0, step))


def scenes(draw: random.Random, pairs: frozenset[tuple[str, str]]) -> Iterator[Scene]:
    """Different scenes without end, both groups of the given pairs (color, shape); the two groups differ in kind.

    Pairs are dealt like cards, all of them before one comes again: few scenes have each word about equally often.
    """
    seen: set[Scene] = set()
    choices, deck = sorted(pairs), list[tuple[str, str]]()
    while True:
        kinds: list[tuple[str, str]] = []
        while len(kinds) < 2:
            deck = deck or draw.sample(choices, len(choices))
            kind = deck.pop()
            if kind in kinds:
                deck.insert(0, kind)
            else:
                kinds.append(kind)
        first, second = (Group(draw.choice(COUNTS), color, shape) for color, shape in kinds)
        scene = Scene(first, draw.choice(RELATIONS), second)
        if scene not in seen:
            seen.add(scene)
            yield scene


def caption(scene: Scene) -> str:
    """The scene in English: ``three blue hearts are left of a purple circle .``"""
    verb = "is" if scene.first.count == 1 else "are"
    return f"{_named(scene.first)} {verb} {scene.relation} {_named(scene.second)} ."


def read_caption(text: str) -> Scene | None:
    """The scene that an English sentence tells; None where it is no sentence of this world."""
    words = text.lower().replace(".", " ").split()
    numbers = {word: count for count, word in _NUMBERS.items()} | {"an": 1}
    plurals = {_plural(shape): shape for shape in SHAPES} | {shape: shape for shape in SHAPES}
    relation = next((name for name in RELATIONS if f" {name} " in f" {' '.join(words)} "), None)
    if relation is None:
        return None
    first, _, second = " ".join(words).partition(f" {relation} ")
    groups = []
    for part in (first.rpartition(" ")[0], second):
        found = part.split()
        if len(found) != 3 or found[0] not in numbers or found[1] not in COLORS or found[2] not in plurals:
            return None
        groups.append(Group(numbers[found[0]], found[1], plurals[found[2]]))
    return Scene(groups[0], relation, groups[1])


def _named(group: Group) -> str:
    shape = group.shape if group.count == 1 else _plural(group.shape)
    number = "an" if group.count == 1 and group.color[0] in "aeiou" else _NUMBERS[group.count]
    return f"{number} {group.color} {shape}"


def _plural(shape: str) -> str:
    return _PLURALS.get(shape, f"{shape}s")
