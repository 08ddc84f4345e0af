"""What the demo's speakers say: a small grammar of household commands, split so that the test's sentences are new."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from itertools import permutations, product

_DIGITS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_PAIRS = tuple(f"{first} {second}" for first, second in permutations(_DIGITS, 2))
_PLACES = ("", "kitchen", "bedroom", "garden", "upstairs", "outside")
_DEVICES = ("lights", "radio", "fan", "music", "lights and radio", "fan and music")

# Without "on the", "in the", "at the": espeak-ng speaks such pairs as one word and tells one boundary for both.
# Without "to" and "for": they sound like "two" and "four", and nothing but a language model could tell them apart.
_FRAMES = (
    (("turn the",), _PLACES, _DEVICES, ("on", "off")),
    (("open the", "close the", "lock the"), _PLACES, ("door", "window", "door and window")),
    (("play music", "play the radio", *(f"play song {digit}" for digit in _DIGITS)), ("", "upstairs", "outside")),
    (("play song",), _PAIRS),
    (("set the",), _PLACES, ("alarm at",), _DIGITS),
    (("set the timer at",), (*_DIGITS[1:], *_PAIRS), ("minutes",)),
    (("wake me at",), (*_DIGITS, *_PAIRS)),
)
_MANNERS = ("{}", "please {}", "{} please", "{} now")
_KEPT = 3  # commands of training that hold each word, at least


@dataclass(frozen=True)
class Split:
    """The commands of each set, one tuple for each frame of the grammar, without "please" and "now".

    No command is in two sets; every word is in training.
    """

    train: tuple[tuple[str, ...], ...]
    val: tuple[tuple[str, ...], ...]
    test: tuple[tuple[str, ...], ...]


def commands() -> tuple[tuple[str, ...], ...]:
    """All commands of the grammar, a tuple for each frame, in a fixed order."""
    return tuple(tuple(" ".join(filter(None, words)) for words in product(*frame)) for frame in _FRAMES)


def manners(command: str) -> tuple[str, ...]:
    """The ways to say a command: bare, "please" before it, "please" or "now" after it."""
    return tuple(manner.format(command) for manner in _MANNERS)


def vocabulary() -> tuple[str, ...]:
    """All words of the grammar, sorted."""
    return tuple(sorted({word for frame in commands() for c in frame for said in manners(c) for word in said.split()}))


def split(seed: int, *, share: float = 0.15) -> Split:
    """Hold out ``share`` of each frame's commands for testing, as many for validation; the seed chooses them.

    A command is held out in all its manners: "please lock the door" is no new sentence to who knows "lock the door".
    It is held out only while each of its words stays in a few commands of training.
    """
    draw = random.Random(f"{seed}/split")
    frames = [draw.sample(frame, len(frame)) for frame in commands()]
    left = Counter(word for frame in frames for command in frame for word in set(command.split()))
    sets: tuple[list[tuple[str, ...]], ...] = ([], [], [])
    for frame in frames:
        wanted = 2 * round(share * len(frame))
        held: list[str] = []
        for command in frame:
            words = set(command.split())
            if len(held) < wanted and all(left[word] > _KEPT for word in words):
                held.append(command)
                left.subtract(words)
        kept = [command for command in frame if command not in set(held)]
        for part, chosen in zip(sets, (kept, held[1::2], held[0::2]), strict=True):
            part.append(tuple(chosen))
    train, val, test = (tuple(part) for part in sets)
    return Split(train, val, test)
