"""What the demo's speakers say: a small grammar of household commands, split so that the test's sentences are new."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from itertools import product

_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_PLACES = ("", "kitchen", "bedroom", "garden")

# Without "on the", "in the", "at the": espeak-ng speaks such pairs as one word and tells one boundary for both.
# Without "to" and "for": they sound like "two" and "four", and nothing but a language model could tell them apart.
_FRAMES = (
    (("turn the",), _PLACES, ("lights", "radio", "fan"), ("on", "off")),
    (("open the", "close the", "lock the"), _PLACES, ("door", "window")),
    (("play music", *(f"play song {number}" for number in _NUMBERS)), ("", "upstairs", "outside")),
    (("set the",), ("", "kitchen", "bedroom"), ("alarm at",), _NUMBERS),
    (("wake me at",), _NUMBERS),
    (("start a timer of",), _NUMBERS[1:], ("minutes",)),
)
_MANNERS = ("{}", "please {}", "{} please")
_KEPT = 3  # commands of training that hold each word, at least


@dataclass(frozen=True)
class Split:
    """The commands of each set, without "please". No command is in two sets; every word is in training."""

    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]


def commands() -> tuple[str, ...]:
    """All commands of the grammar, without "please", in a fixed order."""
    return tuple(" ".join(filter(None, words)) for frame in _FRAMES for words in product(*frame))


def manners(command: str) -> tuple[str, ...]:
    """The ways to say a command: bare, "please" before it, "please" after it."""
    return tuple(manner.format(command) for manner in _MANNERS)


def vocabulary() -> tuple[str, ...]:
    """All words of the grammar, sorted."""
    return tuple(sorted({word for command in commands() for word in command.split()} | {"please"}))


def split(seed: int, *, share: float = 0.15) -> Split:
    """Hold out ``share`` of the commands for testing and as many for validation, by chance but the same for a seed.

    A command is held out in all its manners: "please lock the door" is no new sentence to who knows "lock the door".
    It is held out only while each of its words stays in a few commands of training.
    """
    order = list(commands())
    random.Random(f"{seed}/split").shuffle(order)
    left = Counter(word for command in order for word in set(command.split()))
    wanted = round(share * len(order))
    held: list[str] = []
    for command in order:
        words = set(command.split())
        if len(held) < 2 * wanted and all(left[word] > _KEPT for word in words):
            held.append(command)
            left.subtract(words)
    kept = tuple(command for command in order if command not in set(held))
    return Split(train=kept, val=tuple(held[1::2]), test=tuple(held[0::2]))
