"""Labels read off transcripts: how often each character or word occurs, and which of them are worth a label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from onsei.text.alphabet import BLANK, Units, parts
from onsei.text.spelling import Spelling


@dataclass(frozen=True)
class Census:
    """How often each unit occurs. Memory grows with the distinct units, not with the texts."""

    counts: Counter[str]
    texts: int

    @classmethod
    def of(cls, texts: Iterable[str], spelling: Spelling, units: Units = "characters") -> Census:
        """Count the units of ``texts``, each read once."""
        counts: Counter[str] = Counter()
        number = 0
        for number, text in enumerate(texts, 1):  # noqa: B007 (the last number is the count)
            counts.update(parts(spelling(text), units))
        return cls(counts, number)

    def labels(self, min_count: int = 1) -> tuple[str, ...]:
        """The blank, then every unit seen at least ``min_count`` times, sorted."""
        rare = self.rare(min_count)
        return (BLANK, *sorted(unit for unit in self.counts if unit not in rare))

    def rare(self, min_count: int = 1) -> Counter[str]:
        """Units that get no label: too seldom, or written like the blank."""
        return Counter({u: n for u, n in self.counts.most_common() if n < min_count or u == BLANK})
