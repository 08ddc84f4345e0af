"""Normalizers: what counts as the same text when error rates are counted. The name of one stands beside every rate."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

Name = Literal["none", "lower", "basic"]
Choice = Literal["auto", "none", "lower", "basic"]

_APOSTROPHES = "'\u2019"
_AT_AN_END = re.compile(rf"(?<!\w)[{_APOSTROPHES}]|[{_APOSTROPHES}](?!\w)")
_SPACE_MARK = "\u2581"
"""How pieces of words write a space: no punctuation."""


@dataclass(frozen=True)
class Normalizer:
    """Both texts, the said and the heard, pass through it before they are compared."""

    name: Name
    says: str
    """What it does."""
    rule: Callable[[str], str]

    def __call__(self, text: str) -> str:
        """``text`` in its normal form, one space between words."""
        return " ".join(self.rule(text).split())

    def __str__(self) -> str:
        return f"{self.name} ({self.says})"


def _basic(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).lower()
    # Punctuation first: what then stands beside an apostrophe stays.
    text = "".join(" " if unicodedata.category(c)[0] in "PS" and c not in _APOSTROPHES else c for c in text)
    return _AT_AN_END.sub(" ", text).replace("\u2019", "'")


NORMALIZERS: dict[Name, Normalizer] = {
    "none": Normalizer("none", "runs of white space are one space", str),
    "lower": Normalizer("lower", "lower case", str.lower),
    "basic": Normalizer("basic", "NFKC, lower case, without punctuation but apostrophes in words", _basic),
}


def normalizer(choice: Choice, labels: Iterable[str]) -> Normalizer:
    """The normalizer called ``choice``.

    ``auto`` is ``none`` where the ``labels`` (without the blank) have one case and no punctuation but the apostrophe,
    as those of deepspeech.pytorch: its rates are then unchanged. Otherwise it is ``basic``.
    """
    if choice != "auto":
        return NORMALIZERS[choice]
    text = "".join(labels)
    cased = text.lower() != text and text.upper() != text
    marked = any(unicodedata.category(c)[0] in "PS" and c not in "'" + _SPACE_MARK for c in text)
    return NORMALIZERS["basic" if cased or marked else "none"]
