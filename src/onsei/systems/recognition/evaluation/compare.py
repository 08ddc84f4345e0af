"""Two systems on the same utterances: is the second better, and how sure is that?"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

from rich.console import Console
from rich.table import Table

from onsei.errors import DataError
from onsei.metrics.bootstrap import Comparison, compare, intervals
from onsei.metrics.normalize import NORMALIZERS, Name, Normalizer
from onsei.paths import write_text
from onsei.systems.recognition.config import Compare
from onsei.systems.recognition.evaluation.tables import finite, interval
from onsei.systems.recognition.evaluation.tally import RATES, counts_of, speakers_of


@dataclass(frozen=True)
class _Heard:
    reference: str
    hypothesis: str
    speaker: str
    normalizer: str


def compare_tables(options: Compare) -> None:
    """Print WER and CER of both tables and their difference with its interval.

    Raises:
        DataError: a table cannot be read, or the two are not of the same utterances.
    """
    first, second = (_read(path) for path in (options.first, options.second))
    _check_same(options, first, second)
    scoring = _scoring(options, first, second)
    ids = list(first)
    by, groups = speakers_of([first[id_].speaker for id_ in ids], options.bootstrap_by)
    cells: dict[str, list[str]] = {}
    numbers: dict[str, float] = {}
    counted = [[counts_of(t[id_].reference, t[id_].hypothesis, scoring) for id_ in ids] for t in (first, second)]
    more = {"resamples": options.resamples, "seed": options.seed}
    for place, name in enumerate(RATES[:2]):
        lengths = [counts[place].reference for counts in counted[0]]
        a, b = ([counts[place].errors for counts in part] for part in counted)
        for label, errors in (("first", a), ("second", b)):
            (found,) = intervals(errors, lengths, groups, **more)
            numbers |= {f"{label}_{name}": found.rate, f"{label}_{name}_low": found.low}
            numbers[f"{label}_{name}_high"] = found.high
        paired = compare(a, b, lengths, groups, **more)
        numbers |= {f"{name}_{key}": value for key, value in asdict(paired).items()}
        rates = [interval(numbers, f"{label}_{name}") for label in ("first", "second")]
        cells[f"{name.upper()} %"] = [*rates, *_told(paired)]
    console, table = Console(), Table("", *cells, title=f"{len(ids)} utterances", title_justify="left")
    for label, *row in zip(
        (options.first, options.second, "difference", "second is better"), *cells.values(), strict=True
    ):
        table.add_row(*(str(cell).replace("[", r"\[") for cell in (label, *row)))
    console.print(table)
    words = f"normalizer: {scoring}; 95 % intervals of {options.resamples} paired bootstraps over {by}s"
    console.print(words, markup=False, highlight=False)
    if options.json is not None:
        stated = {"normalizer": scoring.name, "bootstrap_by": by, "utterances": len(ids)}
        write_text(options.json, json.dumps({**finite(numbers), **stated}, indent=1) + "\n")


def _told(found: Comparison) -> tuple[str, str]:
    return (
        f"{found.difference:+.2f} [{found.low:+.2f}, {found.high:+.2f}]",
        f"in {100 * found.improvement:.1f} % of draws",
    )


def _read(path: Path) -> dict[str, _Heard]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error})", "name a table of `evaluate --table`") from None
    found: dict[str, _Heard] = {}
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            texts = [row[key] for key in ("id", "reference", "hypothesis")]
            if not all(isinstance(text, str) for text in texts):
                raise TypeError("id, reference and hypothesis must be text")
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path}:{number}: no row of a table ({error})", "write it with `evaluate --table`"
            ) from None
        if texts[0] in found:
            raise DataError(f"{path}:{number}: the id {texts[0]!r} comes twice", "give each utterance its own id")
        found[texts[0]] = _Heard(texts[1], texts[2], str(row.get("speaker", "")), str(row.get("normalizer", "none")))
    if not found:
        raise DataError(f"{path}: no utterances", "write it with `evaluate --table`")
    return found


def _check_same(options: Compare, first: dict[str, _Heard], second: dict[str, _Heard]) -> None:
    for path, here, there in ((options.first, first, second), (options.second, second, first)):
        only = [id_ for id_ in here if id_ not in there]
        if only:
            raise DataError(
                f"{path}: {len(only)} of its {len(here)} utterances are not in the other table, first {only[0]}",
                "evaluate both models on the same manifest",
            )


def _scoring(options: Compare, first: dict[str, _Heard], second: dict[str, _Heard]) -> Normalizer:
    if options.normalizer is None:
        names = {heard.normalizer for table in (first, second) for heard in table.values()}
        if len(names) > 1 or not names <= NORMALIZERS.keys():
            raise DataError(f"the tables name the normalizers {', '.join(sorted(names))}", "choose one by --normalizer")
        scoring = NORMALIZERS[cast(Name, names.pop())]
    else:
        scoring = NORMALIZERS[options.normalizer]
    for id_, heard in first.items():
        if scoring(heard.reference) != scoring(second[id_].reference):
            raise DataError(
                f"{id_}: the references differ: {heard.reference!r} and {second[id_].reference!r}",
                "models with other labels or cases: --normalizer basic may make them one; else give both the same case",
            )
    return scoring
