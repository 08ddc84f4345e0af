"""The 330 symbols that SongBloom's lyrics are written in: tags, marks, English, Chinese and Japanese phones.

The table is built from its rules, not copied: eight symbols of structure, then all others in the order of their code
points. English is ARPAbet with stress, Chinese is initials and finals with tones 1 to 5 as Opencpop writes them,
Japanese is Open JTalk's phones with a devoiced ``I`` and ``U``. Symbols that several languages share are one row.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path

from onsei.config import read_yaml
from onsei.errors import ConfigError

EMPTY = ""
"""Row 0: what an empty lyric looks up."""
VOCAL = ("[verse]", "[chorus]", "[bridge]")
"""Tags of sections that are sung."""
INSTRUMENTAL = ("[intro]", "[outro]", "[inst]", "[silence]")
"""Tags of sections without words."""
TAGS = VOCAL + INSTRUMENTAL
SENTENCE, SECTION = ".", ","
"""Marks between sentences and between sections."""
_MARKS = ("!", SECTION, "-", SENTENCE, "?", "…", "SP", "SP2", "SP3", "UNK", "_")


def _split(words: str) -> tuple[str, ...]:
    return tuple(words.split())


_ENGLISH_VOWELS = _split("AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW")
_ENGLISH_CONSONANTS = _split("B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH")
ENGLISH = (*(vowel + stress for vowel, stress in product(_ENGLISH_VOWELS, "012")), *_ENGLISH_CONSONANTS, "ER", "IH")
"""ARPAbet: vowels with stress 0 to 2, consonants, and two vowels that also occur without stress."""

_INITIALS = _split("AA EE OO b c ch d f g h j k l m n p q r s sh t w x y z zh")
_FINALS = _split(
    "E En a ai an ang ao e ei en eng er i i0 ia ian iang iao ie in ing iong ir iu o ong ou "
    "u ua uai uan uang ui un uo v van ve vn"
)
CHINESE = (*_INITIALS, *(final + tone for final, tone in product(_FINALS, "12345")))
"""Initials, and finals with a tone; ``AA``, ``EE`` and ``OO`` begin syllables that have no initial."""

JAPANESE = _split("I N U a b by ch cl d dy e f g gy h hy i j k ky m my n ny o p py r ry s sh t ts u v w y z")
"""Open JTalk's phones: ``cl`` a geminate's closure, ``N`` the moraic nasal, ``I`` and ``U`` devoiced vowels."""

SYMBOLS = (EMPTY, *TAGS, *sorted({*_MARKS, *ENGLISH, *CHINESE, *JAPANESE}))
"""The table, by row."""

UNTRAINED = tuple(phone for phone in JAPANESE if phone not in {*ENGLISH, *CHINESE})
"""Japanese phones whose rows no Chinese or English text reaches: training on those two leaves them as they began."""


@dataclass(frozen=True)
class Phones:
    """A table of symbols: lyrics written in symbols to row numbers, with nothing dropped unseen.

    Args:
        symbols: one a row, row 0 the empty one.
    """

    symbols: tuple[str, ...] = SYMBOLS

    def __post_init__(self) -> None:
        twice = [symbol for symbol, count in Counter(self.symbols).items() if count > 1]
        if twice or not self.symbols or self.symbols[0] != EMPTY:
            first = f"{self.symbols[0]!r} as the first" if self.symbols else "none"
            found = f"symbols: found {first}, given twice: {twice}"
            raise ConfigError(found, "the first is the empty one, and each is there once")
        missing = [symbol for symbol in (*TAGS, SENTENCE, SECTION) if symbol not in self.symbols]
        if missing:
            raise ConfigError(f"symbols: no {', '.join(missing)}", "lyrics cannot be structured without them")

    @classmethod
    def read(cls, path: Path) -> Phones:
        """Read a table that came with a checkpoint: JSON, or YAML with one list in it.

        Raises:
            ConfigError: it cannot be read, or holds no list of symbols.
        """
        try:
            found = json.loads(path.read_text(encoding="utf-8")) if path.suffix == ".json" else read_yaml(path)
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: cannot be read as a table of symbols ({error})", "check the path") from None
        values = found.values() if isinstance(found, dict) else [found]
        lists = [value for value in values if isinstance(value, list)]
        if len(lists) != 1 or not all(isinstance(symbol, str) for symbol in lists[0]):
            raise ConfigError(f"{path}: expected one list of symbols, found {len(lists)}", "give vocab_g2p.yaml")
        return cls(tuple(lists[0]))

    @cached_property
    def rows(self) -> dict[str, int]:
        """Row of each symbol."""
        return {symbol: row for row, symbol in enumerate(self.symbols)}

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, symbols: Iterable[str]) -> list[int]:
        """Rows of ``symbols``.

        Raises:
            ConfigError: some are not in the table; all of them are named.
        """
        given = list(symbols)
        unknown = Counter(symbol for symbol in given if symbol not in self.rows)
        if unknown:
            told = ", ".join(f"{symbol!r} ({count})" for symbol, count in unknown.most_common(12))
            raise ConfigError(f"{len(unknown)} symbols that the table of {len(self)} lacks: {told}", "check the phones")
        return [self.rows[symbol] for symbol in given]

    def decode(self, rows: Sequence[int]) -> list[str]:
        """Symbols of ``rows``."""
        return [self.symbols[row] for row in rows]
