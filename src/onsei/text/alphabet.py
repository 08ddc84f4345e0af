"""Alphabets: characters to label numbers and back, with nothing dropped unseen."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from onsei.errors import ConfigError

Case = Literal["upper", "lower", "keep"]
BLANK = "_"
ENGLISH = (BLANK, "'", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ", " ")
"""The labels of deepspeech.pytorch: blank, apostrophe, letters, space."""


@dataclass(frozen=True)
class Alphabet:
    """Labels of a recognizer. Label 0 is CTC's blank, written ``_``.

    Args:
        labels: one character each, the blank first.
        case: how text is cased before it is looked up.
    """

    labels: tuple[str, ...] = ENGLISH
    case: Case = "upper"

    def __post_init__(self) -> None:
        if not self.labels or self.labels[0] != BLANK:
            raise ConfigError(f"labels: the first must be the blank {BLANK!r}, found {self.labels[:1]}", "put it first")
        wrong = [label for label in self.labels if len(label) != 1]
        twice = [label for label, count in Counter(self.labels).items() if count > 1]
        if wrong or twice:
            raise ConfigError(f"labels: not one character: {wrong}; given twice: {twice}", "list each character once")

    @classmethod
    def read(cls, path: Path, case: Case = "upper") -> Alphabet:
        """Read a JSON list of labels, as ``labels.json`` of deepspeech.pytorch holds."""
        try:
            labels = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigError(f"{path}: no such labels file", "check --labels-path") from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: not a JSON list: {error}", 'write ["_", "A", "B", …]') from None
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise ConfigError(f"{path}: expected a JSON list of characters", 'write ["_", "A", "B", …]')
        return cls(tuple(labels), case)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {label: number for number, label in enumerate(self.labels) if number}

    def normalize(self, text: str) -> str:
        """``text`` in the alphabet's case, runs of white space as one space."""
        text = " ".join(text.split())
        return {"upper": text.upper, "lower": text.lower, "keep": text.__str__}[self.case]()

    def encode(self, text: str) -> list[int]:
        """Label numbers of ``text``; characters outside the alphabet are left out (``unknown`` counts them)."""
        return [self._numbers[c] for c in self.normalize(text) if c in self._numbers]

    def unknown(self, texts: Iterable[str]) -> Counter[str]:
        """How often each character outside the alphabet occurs in ``texts``."""
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(self.normalize(text))
        return Counter({c: n for c, n in counts.most_common() if c not in self._numbers})

    def decode(self, numbers: Sequence[int]) -> str:
        """Text of label numbers."""
        return "".join(self.labels[number] for number in numbers)

    def spoken(self, text: str) -> str:
        """``text`` as it can be recognized at best: normalized, without characters outside the alphabet."""
        return " ".join(self.decode(self.encode(text)).split())
