"""What every `prepare` does: obtain a corpus, write its manifests, and say what came and what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from onsei.data import manifest, provenance
from onsei.data.corpora.corpus import UNKNOWN, Choice, Corpus, Entry, Fault, Utterance
from onsei.data.corpora.measure import measured
from onsei.data.corpora.obtain import Source, obtain
from onsei.data.corpora.staging import FAULTS, Arrange, Written, write_parts
from onsei.data.progress import counted
from onsei.errors import DataError

_SHOWN = 20
"""Faults that are printed; the file of faults has all."""


@dataclass(frozen=True)
class Preparation:
    """A corpus to make manifests of."""

    corpus: Corpus
    source: Source
    choice: Choice
    folder: Path
    """Where the manifests go."""
    parts: tuple[str, ...]
    """Names of manifests that may be written."""
    force: bool = False
    """Whether manifests that are there are replaced."""
    noun: str = "utterances"
    usable: str = "sound with a transcript"
    """What a row needs, in words."""
    shortest: float | None = None
    """In seconds; shorter training rows are left out."""
    longest: float | None = None
    """In seconds; longer training rows are left out."""

    def refuse_existing(self) -> None:
        """DataError where manifests are there, unless ``force``."""
        manifest.refuse_existing(self._targets, self.force)

    @property
    def _targets(self) -> list[Path]:
        return [self.folder / f"{part}.jsonl" for part in dict.fromkeys(self.parts)]

    def write(self, arrange: Arrange, listen: Callable[[Iterable[Entry]], Iterator[Entry]] | None = None) -> Written:
        """Write a manifest for each part, and a list of what could not be used; print both.

        Args:
            arrange: which rows go to which part.
            listen: what is done with measured entries before they are written.

        Raises:
            DataError: the corpus cannot be had, or nothing usable was found, or what ``arrange`` raises.
        """
        found = obtain(self.corpus, self.source, self.choice)
        shown: list[Fault] = []
        remarks: Counter[str] = Counter()
        entries: Iterable[Entry] = measured(self.corpus.read(found.roots, self.choice))
        entries = chain(found.faults, listen(entries) if listen else entries)
        written = write_parts(
            counted(f"reading {self.corpus.title}", _noted(entries, shown, remarks)),
            self.folder,
            arrange=arrange,
            shortest=self.shortest,
            longest=self.longest,
        )
        parts = [self.folder / f"{part}.jsonl" for part in written.rows]
        provenance.note(parts, provenance.KNOWN.get(self.corpus.title))
        self._tell(written, shown)
        if remarks[UNKNOWN]:
            left = f"{remarks[UNKNOWN]} {self.noun} have words that nobody could write"
            print(f"note: {left}, left out of their text: each row says how many under {UNKNOWN!r}")
        return written

    def _tell(self, written: Written, shown: list[Fault]) -> None:
        faults = self.folder / FAULTS
        for fault in shown:
            print(f"left out: {fault.place}: {fault.reason}")
        total = written.faults.total()
        if total > len(shown):
            print(f"… and {total - len(shown)} more: all are in {faults}")
        if not written.rows:
            where = self.source.path or self.source.unpack_dir
            reason = f"{total} faults, all in {faults}" if total else "nothing was found"
            if written.pruned:
                reason += f"; {written.pruned} {self.noun} are too short or too long"
            looked = f"no {self.usable} that can be used; looked for {self.corpus.looked_for}"
            raise DataError(f"{where}: {looked}: {reason}", "mend the files, or name another SOURCE")
        for part, rows in written.rows.items():
            print(f"{self.folder / f'{part}.jsonl'}: {rows} {self.noun}, {written.seconds[part] / 3600:.2f} h")
        counts = ", ".join(f"{count} {kind}" for kind, count in written.faults.items())
        kinds = f" ({counts})" if total else ""
        for target in self._targets:
            if target.exists() and target.stem not in written.rows:
                print(f"note: {target} is of an earlier call, and may hold the same {self.noun}")
        print(f"left out: {total} unreadable{kinds}, {written.pruned} by duration")


def _noted(entries: Iterable[Entry], shown: list[Fault], remarks: Counter[str]) -> Iterator[Entry]:
    """The entries; the first faults go to ``shown``, the number of rows with unknown words to ``remarks``."""
    for entry in entries:
        if isinstance(entry, Utterance) and UNKNOWN in entry.row.extra:
            remarks[UNKNOWN] += 1
        if isinstance(entry, Fault) and len(shown) < _SHOWN:
            shown.append(entry)
        yield entry
