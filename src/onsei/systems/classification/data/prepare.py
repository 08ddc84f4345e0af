"""The verb `prepare`: from a corpus, or sounds of one's own with their classes, to manifests."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from onsei.data.corpora import (
    ESC,
    GTZAN,
    Arranged,
    Choice,
    ClassFolder,
    ClassList,
    Corpus,
    Preparation,
    Source,
    SpeechCommands,
    Staged,
    as_they_came,
    heard,
)
from onsei.data.corpora.gtzan import REPOSITORY
from onsei.data.corpora.labeled import ALL
from onsei.data.leaks import KEYS, leaks
from onsei.data.strata import cut_by_class, cut_by_class_and_group
from onsei.errors import ConfigError, DataError
from onsei.paths import cache_folder
from onsei.systems.classification.config import Prepare

_SHOWN = 12
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_LEAKS = (*KEYS, "sound")


def prepare(options: Prepare) -> None:
    """Write a manifest for each part, and a list of what could not be used; tell what leaks between parts.

    Raises:
        DataError: nothing usable was found, labels that cannot be right, or manifests are there already.
        ConfigError: options that say different things, or nothing for this corpus.
    """
    _check(options)
    corpus, folder = _corpus(options), options.output_dir
    path, repository = _source(options)
    preparation = Preparation(
        corpus,
        Source(
            path,
            options.download_dir or cache_folder() / "downloads",
            options.unpack_dir or folder / "corpus",
            options.keep_archive,
            repository,
        ),
        Choice(made=folder / "wav", url=options.url),
        folder,
        (*corpus.parts, "train", "val", "test"),
        force=options.force,
        noun="clips",
        usable="sound with a label",
    )
    preparation.refuse_existing()
    arrange = _Arrangement(options)
    listen = partial(heard, shortest=options.min_duration, longest=options.max_duration, silence=options.keep_silent)
    preparation.write(arrange, listen)
    for note in arrange.notes:
        print(f"note: {note}")


def _corpus(options: Prepare) -> Corpus:
    if options.kind == "gtzan":
        return GTZAN(options.split)
    if options.kind in ("esc50", "esc10"):
        return ESC(int(options.kind[3:]), test_fold=options.test_fold, val_fold=options.val_fold)
    if options.kind == "speechcommands":
        return SpeechCommands(options.classes == 12, options.seed)
    if options.kind == "folder":
        return ClassFolder(options.recording, options.speaker)
    return ClassList()


def _source(options: Prepare) -> tuple[Path | None, str]:
    """What is here, or else the Hub dataset that is meant."""
    if not options.source:
        return None, REPOSITORY if options.kind == "gtzan" and not options.url else ""
    path = Path(options.source).expanduser()
    if not path.exists() and _REPOSITORY.fullmatch(options.source) and not path.parent.exists():
        return None, options.source
    return path, ""


@dataclass
class _Arrangement:
    """Which clips go where; refuses labels that cannot be right, and notes what the user should know."""

    options: Prepare

    def __post_init__(self) -> None:
        self.notes: list[str] = []

    def __call__(self, staged: Mapping[str, Staged]) -> Arranged:
        counts: Counter[str] = sum((part.labels for part in staged.values()), Counter())
        if not counts:
            return {}
        _check_labels(counts, self.options.kind)
        arranged = self._cut(staged)
        self.notes += [*_about_classes(arranged, counts), *self._about_leaks(arranged)]
        return arranged

    def _cut(self, staged: Mapping[str, Staged]) -> Arranged:
        arranged = as_they_came(staged)
        if self.options.kind not in ("folder", "csv"):
            return arranged
        if ALL in staged and len(staged) > 1:
            named = ", ".join(name for name in staged if name != ALL)
            counted = f"{len(staged[ALL])} clips say nothing about their part, others are of {named}"
            raise DataError(counted, "give every row a split, or none")
        shares = {"val": self.options.val_fraction, "test": self.options.test_fraction}
        if ALL not in staged or not any(shares.values()):
            return arranged
        rows = staged[ALL]
        key = self._group(rows)
        labels = rows.codes("label")
        if key:
            parts = cut_by_class_and_group(labels, rows.codes(key), shares, self.options.seed)
            self.notes.append(f"split by whole values of {key!r}")
        else:
            parts = cut_by_class(labels, shares, self.options.seed)
        return {name: (rows, numbers) for name, numbers in parts.items() if len(numbers)}

    def _group(self, rows: Staged) -> str:
        chosen = self.options.group_by
        if chosen == "none":
            return ""
        for key in ("recording", "speaker", "artist") if chosen == "auto" else (chosen,):
            known = int((rows.digest(key) > 0).sum())
            if known == len(rows):
                return key
            if chosen != "auto":
                found = f"--group-by {chosen}: {len(rows) - known} of {len(rows)} clips have none"
                raise DataError(found, f"give every row a {chosen}, or leave --group-by out")
            if known:
                self.notes.append(f"{known} of {len(rows)} clips have a {key}: too few to split by it")
        return ""

    def _about_leaks(self, arranged: Arranged) -> list[str]:
        parts = {name: {key: part.digest(key)[numbers] for key in _LEAKS} for name, (part, numbers) in arranged.items()}
        folder = self.options.output_dir.resolve()

        def named(name: str, number: int) -> str:
            part, numbers = arranged[name]
            return part.row(int(numbers[number]), folder).id

        found = leaks(parts)
        told = [
            f"leak: {leak.told(named(leak.first, leak.example[0]), named(leak.second, leak.example[1]))}"
            for leak in found
        ]
        for name, (part, numbers) in arranged.items():
            sounds = part.digest("sound")[numbers]
            copies = len(sounds) - len(np.unique(sounds))
            if copies:
                told.append(f"{name}: {copies} clips are copies of others in it, sample by sample")
        if self.options.kind == "gtzan" and self.options.split == "random":
            told.append(
                "the course's random split has artists and recordings on both sides, and chooses the epoch by the "
                "clips that it reports: its accuracy is optimistic; --split filtered is the honest one"
            )
        return told


def _check_labels(counts: Counter[str], kind: str) -> None:
    """DataError for labels that differ in case or spaces only, and for a single class."""
    first: dict[str, str] = {}
    twins = [
        (other, label)
        for label in counts
        if (other := first.setdefault(" ".join(label.casefold().split()), label)) != label
    ]
    if twins:
        pairs = "; ".join(f"{a!r} ({counts[a]}) and {b!r} ({counts[b]})" for a, b in twins[:_SHOWN])
        raise DataError(f"labels that differ in case or spaces only: {pairs}", "write one class one way")
    if len(counts) < 2:
        raise DataError(f"one class only: {next(iter(counts))!r}", f"{kind}: give two classes or more")


def _about_classes(arranged: Arranged, counts: Counter[str]) -> list[str]:
    lone = [label for label, count in counts.items() if count == 1]
    notes = []
    if lone:
        shown = ", ".join(map(repr, lone[:_SHOWN])) + (" …" if len(lone) > _SHOWN else "")
        notes.append(f"classes with one clip, which can be trained on or measured, not both: {shown}")
    for name, (part, numbers) in arranged.items():
        absent = len(counts) - len(np.unique(part.digest("label")[numbers]))
        if absent and name != ALL:
            notes.append(f"{name}: {absent} of {len(counts)} classes have no clip in it")
    return notes


def _check(options: Prepare) -> None:
    """ConfigError for options that say different things, or nothing for this corpus."""
    if options.source and options.url:
        raise ConfigError(f"two sources: {options.source}, {options.url}", "name one of SOURCE and --url")
    defaults = Prepare(options.kind, options.output_dir)
    own = {"folder", "csv"}
    kinds = {
        "split": {"gtzan"},
        "classes": {"speechcommands"},
        "val_fold": {"esc50", "esc10"},
        "test_fold": {"esc50", "esc10"},
        "recording": {"folder"},
        "speaker": {"folder"},
        "val_fraction": own,
        "test_fraction": own,
        "group_by": own,
    }
    for name, known in kinds.items():
        value = getattr(options, name)
        if value != getattr(defaults, name) and options.kind not in known:
            flag = name.replace("_", "-")
            raise ConfigError(
                f"--{flag} {value}: {options.kind} has none", f"it is for {' and '.join(sorted(known))}: leave it out"
            )
    if max(options.val_fold, options.test_fold) > 5 or 0 < options.val_fold == options.test_fold:
        found = f"--val-fold {options.val_fold}, --test-fold {options.test_fold}"
        raise ConfigError(found, "name two different folds from 1 to 5, or 0 for none")
    if options.val_fraction + options.test_fraction >= 1:
        total = options.val_fraction + options.test_fraction
        raise ConfigError(f"--val-fraction and --test-fraction: together {total:g}", "leave something to train on")
