"""Alphabets: characters or words to label numbers and back, with nothing dropped unseen."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from onsei.errors import ConfigError
from onsei.text.spelling import Case, Script, Spelling

__all__ = ["BLANK", "ENGLISH", "Alphabet", "Case", "Script", "Units", "parts"]

Units = Literal["characters", "words"]
BLANK = "_"
ENGLISH = (BLANK, "'", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ", " ")
"""The labels of deepspeech.pytorch: blank, apostrophe, letters, space."""


@dataclass(frozen=True)
class Alphabet:
    """Labels of a recognizer. Label 0 is CTC's blank, written ``_``.

    Args:
        labels: one character or word each, the blank first.
        case: how text is cased before it is looked up.
        units: whether a label stands for a character or for a whole word.
        script: how text is spelled before it is looked up.
    """

    labels: tuple[str, ...] = ENGLISH
    case: Case = "upper"
    units: Units = "characters"
    script: Script = "plain"

    def __post_init__(self) -> None:
        if not self.labels or self.labels[0] != BLANK:
            raise ConfigError(f"labels: the first must be the blank {BLANK!r}, found {self.labels[:1]}", "put it first")
        words = self.units == "words"
        wrong = [label for label in self.labels if (label.split() != [label] if words else len(label) != 1)]
        twice = [label for label, count in Counter(self.labels).items() if count > 1]
        if wrong or twice:
            unit = self.units.removesuffix("s")
            raise ConfigError(f"labels: not one {unit}: {wrong}; given twice: {twice}", f"list each {unit} once")

    @classmethod
    def read(cls, path: Path, case: Case = "upper", units: Units = "characters", script: Script = "plain") -> Alphabet:
        """Read a JSON list of labels, as ``labels.json`` of deepspeech.pytorch holds."""
        try:
            labels = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigError(f"{path}: no such labels file", "check --labels-path") from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: not a JSON list: {error}", 'write ["_", "A", "B", …]') from None
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise ConfigError(f"{path}: expected a JSON list of labels", 'write ["_", "A", "B", …]')
        return cls(tuple(labels), case, units, script)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {label: number for number, label in enumerate(self.labels) if number}

    @property
    def spelling(self) -> Spelling:
        """How text is brought to this alphabet's case and script."""
        return Spelling(self.case, self.script)

    @property
    def spaced(self) -> bool:
        """Whether spaces part the words of its texts."""
        return self.spelling.spaced

    @property
    def parted(self) -> bool:
        """Whether labels join to words between spaces; where not, each is a word of its own."""
        return self.spaced and self.units != "words"

    def normalize(self, text: str) -> str:
        """``text`` in the alphabet's script and case, runs of white space as one space."""
        return self.spelling(text)

    def _parts(self, text: str) -> Sequence[str]:
        return parts(self.normalize(text), self.units)

    def encode(self, text: str) -> list[int]:
        """Label numbers of ``text``; units outside the alphabet are left out (``unknown`` counts them)."""
        return [self._numbers[unit] for unit in self._parts(text) if unit in self._numbers]

    def unknown(self, texts: Iterable[str]) -> Counter[str]:
        """How often each character (or word) outside the alphabet occurs in ``texts``."""
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(self._parts(text))
        return Counter({c: n for c, n in counts.most_common() if c not in self._numbers})

    def decode(self, numbers: Sequence[int]) -> str:
        """Text of label numbers."""
        return ("" if self.units == "characters" else " ").join(self.labels[number] for number in numbers)

    def spoken(self, text: str) -> str:
        """``text`` as it can be recognized at best: normalized, without units outside the alphabet."""
        return " ".join(self.decode(self.encode(text)).split())


def parts(text: str, units: Units) -> Sequence[str]:
    """Spelled ``text`` cut into the units that may be labels."""
    return text if units == "characters" else text.split()
