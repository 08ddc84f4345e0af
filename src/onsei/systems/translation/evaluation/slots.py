"""Which parts of a sentence are right: words that tell the color, the number … in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

KEY = "slots"
"""Key of a row: by name, the words of its text that tell something, in their order."""


def slot_accuracy(hypotheses: Sequence[str], slots: Sequence[Mapping[str, str]]) -> dict[str, float]:
    """Share of sentences, in percent, whose words of each kind are right, all of them and in order.

    The words of a kind are all that any row has of it.

    Args:
        hypotheses: translations.
        slots: of each, the words by kind.
    """
    kinds: dict[str, set[str]] = {}
    for one in slots:
        for name, words in one.items():
            kinds.setdefault(name, set()).update(str(words).lower().split())
    right: dict[str, list[bool]] = {name: [] for name in kinds}
    for hypothesis, one in zip(hypotheses, slots, strict=True):
        said = hypothesis.lower().replace(".", " ").replace(",", " ").split()
        for name, words in one.items():
            found = [word for word in said if word in kinds[name]]
            right[name].append(found == str(words).lower().split())
    return {name: 100 * sum(values) / len(values) for name, values in right.items() if values}
