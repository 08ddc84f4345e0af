"""How a transcript is spelled before it is cut into labels: its script and its case."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from onsei.text import japanese

Case = Literal["upper", "lower", "keep"]
Script = Literal["plain", "kanji", "kana", "reading"]

_SCRIPTS: Mapping[Script, Callable[[str], str]] = {
    "kanji": japanese.kanji,
    "kana": japanese.kana,
    "reading": japanese.reading,
}


@dataclass(frozen=True)
class Spelling:
    """Brings texts to one spelling. Spelling a spelled text changes nothing.

    Args:
        case: the case of letters.
        script: ``plain``: as written, composed (NFC), words parted by single spaces. The others are Japanese, without
            spaces, see ``text.japanese``.
    """

    case: Case = "upper"
    script: Script = "plain"

    @property
    def spaced(self) -> bool:
        """Whether spaces part words; where not, error rates of words mean little."""
        return self.script == "plain"

    def __call__(self, text: str) -> str:
        """``text`` in this spelling."""
        text = " ".join(text.split()) if self.script == "plain" else _SCRIPTS[self.script](text)
        cased = {"upper": text.upper, "lower": text.lower, "keep": text.__str__}[self.case]()
        return unicodedata.normalize("NFC", cased)
