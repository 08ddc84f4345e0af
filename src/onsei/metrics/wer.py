"""Word and character error rates: Levenshtein counts that add up over a corpus (Levenshtein, 1966)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from rapidfuzz.distance import Levenshtein

from onsei.errors import DataError

Kind = Literal["hit", "substitution", "deletion", "insertion"]
_KINDS: dict[str, Kind] = {"equal": "hit", "replace": "substitution", "delete": "deletion", "insert": "insertion"}


@dataclass(frozen=True)
class ErrorCounts:
    """How a hypothesis differs from its reference, in words or characters. Counts of many utterances are added."""

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    hits: int = 0

    @property
    def errors(self) -> int:
        """Edits that turn the reference into the hypothesis, the fewest possible."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def reference(self) -> int:
        """Length of the reference."""
        return self.hits + self.substitutions + self.deletions

    @property
    def rate(self) -> float:
        """Errors per reference word or character, in percent: nan without a reference; many insertions pass 100."""
        return 100 * self.errors / self.reference if self.reference else math.nan

    def __add__(self, other: ErrorCounts) -> ErrorCounts:
        return ErrorCounts(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.hits + other.hits,
        )


@dataclass(frozen=True)
class Edit:
    """One place of an alignment."""

    kind: Kind
    reference: str
    """Word of the reference; empty for an insertion."""
    hypothesis: str
    """Word of the hypothesis; empty for a deletion."""


def word_errors(reference: str, hypothesis: str) -> ErrorCounts:
    """Count word errors. Words are what white space parts; case and punctuation count: normalize both alike."""
    return _count(reference.split(), hypothesis.split())


def char_errors(reference: str, hypothesis: str, spaces: bool = True) -> ErrorCounts:
    """Count character errors (code points).

    Args:
        reference: what was said.
        hypothesis: what was recognized.
        spaces: whether the space between two words is a character; False is the rate that deepspeech.pytorch prints.
            A run of white space is one space, and none counts at the ends.
    """
    joint = " " if spaces else ""
    return _count(joint.join(reference.split()), joint.join(hypothesis.split()))


def corpus_wer(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """Word error rate of a corpus in percent: all errors over all reference words, not a mean of rates.

    Raises:
        DataError: the two differ in length.
    """
    return _corpus(references, hypotheses, word_errors).rate


def corpus_cer(references: Sequence[str], hypotheses: Sequence[str], spaces: bool = True) -> float:
    """Character error rate of a corpus in percent; see ``char_errors`` and ``corpus_wer``."""
    return _corpus(references, hypotheses, lambda r, h: char_errors(r, h, spaces)).rate


def align(reference: Sequence[str], hypothesis: Sequence[str]) -> list[Edit]:
    """Edits, hits included, that lead from ``reference`` to ``hypothesis`` (words or characters), in order."""
    edits: list[Edit] = []
    for part in Levenshtein.opcodes(list(reference), list(hypothesis)):
        said = reference[part.src_start : part.src_end]
        heard = hypothesis[part.dest_start : part.dest_end]
        edits.extend(Edit(_KINDS[part.tag], *pair) for pair in zip_longest(said, heard, fillvalue=""))
    return edits


def _count(reference: Sequence[str], hypothesis: Sequence[str]) -> ErrorCounts:
    tags = [edit.tag for edit in Levenshtein.editops(reference, hypothesis)]
    substitutions, deletions = tags.count("replace"), tags.count("delete")
    return ErrorCounts(substitutions, deletions, tags.count("insert"), len(reference) - substitutions - deletions)


def _corpus(
    references: Sequence[str], hypotheses: Sequence[str], count: Callable[[str, str], ErrorCounts]
) -> ErrorCounts:
    if len(references) != len(hypotheses):
        raise DataError(
            f"expected one hypothesis per reference, found {len(hypotheses)} for {len(references)}",
            "pass both lists in the same order",
        )
    return sum(map(count, references, hypotheses), ErrorCounts())
