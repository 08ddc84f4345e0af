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
from onsei.text.pieces import SPACE, Pieces
from onsei.text.spelling import Case, Script, Spelling

__all__ = ["BLANK", "ENGLISH", "Alphabet", "Case", "Script", "Units", "parts"]

Units = Literal["characters", "words", "bpe"]
BLANK = "_"
ENGLISH = (BLANK, "'", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ", " ")
"""The labels of deepspeech.pytorch: blank, apostrophe, letters, space."""


@dataclass(frozen=True)
class Alphabet:
    """Labels of a recognizer. Label 0 is CTC's blank, written ``_``.

    Args:
        labels: one character, word or piece of words each, the blank first.
        case: how text is cased before it is looked up.
        units: whether a label stands for a character, for a whole word, or for a piece of words (``bpe``).
        script: how text is spelled before it is looked up.
        pieces: what cuts text into pieces; needed with ``bpe`` only.
    """

    labels: tuple[str, ...] = ENGLISH
    case: Case = "upper"
    units: Units = "characters"
    script: Script = "plain"
    pieces: Pieces | None = None

    def __post_init__(self) -> None:
        if self.pieces is not None or self.units == "bpe":
            self._check_pieces()
            return
        if not self.labels or self.labels[0] != BLANK:
            raise ConfigError(f"labels: the first must be the blank {BLANK!r}, found {self.labels[:1]}", "put it first")
        words = self.units == "words"
        wrong = [label for label in self.labels if (label.split() != [label] if words else len(label) != 1)]
        twice = [label for label, count in Counter(self.labels).items() if count > 1]
        if wrong or twice:
            unit = self.units.removesuffix("s")
            raise ConfigError(f"labels: not one {unit}: {wrong}; given twice: {twice}", f"list each {unit} once")

    def _check_pieces(self) -> None:
        if self.pieces is None or self.units != "bpe":
            found = f"units {self.units} {'without' if self.pieces is None else 'with'} pieces"
            raise ConfigError(f"labels: found {found}", "units bpe and pieces go together")
        if self.labels != (BLANK, *self.pieces.known()):
            raise ConfigError(
                f"labels: {len(self.labels)} that are not the {len(self.pieces.known()) + 1} pieces",
                "labels and pieces must come from one training",
            )

    @classmethod
    def of_pieces(cls, pieces: Pieces, case: Case = "upper", script: Script = "plain") -> Alphabet:
        """The alphabet whose labels are ``pieces``."""
        return cls((BLANK, *pieces.known()), case, "bpe", script, pieces)

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
        if self.pieces is not None:
            return self.pieces.encode(self.normalize(text))
        return [self._numbers[unit] for unit in self._parts(text) if unit in self._numbers]

    def unknown(self, texts: Iterable[str]) -> Counter[str]:
        """How often each character (or word) outside the alphabet occurs in ``texts``."""
        counts: Counter[str] = Counter()
        for text in texts:
            if self.pieces is not None:
                counts.update(self.pieces.unknown(self.normalize(text)))
            else:
                counts.update(self._parts(text))
        return Counter({c: n for c, n in counts.most_common() if c not in self._numbers or self.pieces is not None})

    def shown(self, number: int) -> str:
        """The text of one label; a piece that begins a word has a space before it."""
        label = self.labels[number]
        return label if self.pieces is None else label.replace(SPACE, " ")

    def decode(self, numbers: Sequence[int]) -> str:
        """Text of label numbers."""
        text = (" " if self.units == "words" else "").join(self.shown(number) for number in numbers)
        return text if self.pieces is None else text.strip()

    def spoken(self, text: str) -> str:
        """``text`` as it can be recognized at best: normalized, without units outside the alphabet."""
        return " ".join(self.decode(self.encode(text)).split())


def parts(text: str, units: Units) -> Sequence[str]:
    """Spelled ``text`` cut into the units that are counted; of pieces, the characters."""
    return text.split() if units == "words" else text
