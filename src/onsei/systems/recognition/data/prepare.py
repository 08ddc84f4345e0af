"""The verb `prepare`: from a corpus, or recordings of one's own, to manifests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from onsei.data import manifest
from onsei.data.corpora import CORPORA, FAULTS, Choice, Entry, Fault, Source, measured, obtain, write_parts
from onsei.data.progress import counted
from onsei.errors import ConfigError, DataError
from onsei.paths import cache_folder
from onsei.systems.recognition.config import Prepare

_SHOWN = 20
"""Faults that are printed; the file of faults has all."""


def prepare(options: Prepare) -> None:
    """Write a manifest for each part of the corpus, and a list of what could not be used.

    Raises:
        DataError: nothing usable was found, or manifests are there already.
        ConfigError: two sources.
    """
    corpus, folder = CORPORA[options.kind], options.output_dir
    _check(options)
    targets = [folder / f"{part}.jsonl" for part in dict.fromkeys((*corpus.parts, "train", "val"))]
    manifest.refuse_existing(targets, options.force)
    choice = Choice(
        made=folder / "wav",
        subsets=tuple(name.strip() for name in options.subsets.split(",") if name.strip()),
        language=options.language,
        release=options.release,
        url=options.url,
    )
    source = Source(
        options.source or options.archive,
        options.download_dir or cache_folder() / "downloads",
        options.unpack_dir or folder / "corpus",
        options.keep_archive,
    )
    found = obtain(corpus, source, choice)
    shown: list[Fault] = []
    entries = chain(found.faults, measured(corpus.read(found.roots, choice)))
    written = write_parts(
        counted(f"reading {corpus.title}", _noted(entries, shown)),
        folder,
        val_fraction=options.val_fraction,
        shortest=options.min_duration or None,
        longest=options.max_duration or None,
        seed=options.seed,
    )
    for fault in shown:
        print(f"left out: {fault.place}: {fault.reason}")
    total = written.faults.total()
    if total > len(shown):
        print(f"… and {total - len(shown)} more: all are in {folder / FAULTS}")
    if not written.rows:
        where = source.path or source.unpack_dir
        reason = f"{total} faults, all in {folder / FAULTS}" if total else "nothing was found"
        if written.pruned:
            reason += f"; {written.pruned} utterances are too short or too long"
        looked = f"no sound with a transcript that can be used; looked for {corpus.looked_for}"
        raise DataError(f"{where}: {looked}: {reason}", "mend the files, or name another SOURCE")
    for part, rows in written.rows.items():
        print(f"{folder / f'{part}.jsonl'}: {rows} utterances, {written.seconds[part] / 3600:.2f} h")
    counts = ", ".join(f"{count} {kind}" for kind, count in written.faults.items())
    kinds = f" ({counts})" if total else ""
    for target in targets:
        if target.exists() and target.stem not in written.rows:
            print(f"note: {target} is of an earlier call, and may hold the same utterances")
    print(f"left out: {total} unreadable{kinds}, {written.pruned} by duration")


def _check(options: Prepare) -> None:
    """ConfigError for options that say different things, or nothing for this corpus."""
    sources = [str(source) for source in (options.source, options.archive, options.url) if source]
    if len(sources) > 1:
        raise ConfigError(f"more than one source: {', '.join(sources)}", "name one of SOURCE, --archive and --url")
    kinds = {
        "subsets": (options.subsets, ("librispeech", "tedlium", "commonvoice")),
        "language": (options.language, ("commonvoice",)),
        "release": (options.release, ("tedlium",)),
    }
    for name, (value, known) in kinds.items():
        if value and options.kind not in known:
            raise ConfigError(
                f"--{name} {value}: {options.kind} has none", f"it is for {', '.join(known)}: leave it out"
            )


def _noted(entries: Iterable[Entry], shown: list[Fault]) -> Iterator[Entry]:
    for entry in entries:
        if isinstance(entry, Fault) and len(shown) < _SHOWN:
            shown.append(entry)
        yield entry
