"""The verb `prepare`: from a corpus, or recordings of one's own, to manifests."""

from __future__ import annotations

from functools import partial

from onsei.data.corpora import CORPORA, Choice, Preparation, Source, by_speaker
from onsei.errors import ConfigError
from onsei.paths import cache_folder
from onsei.systems.recognition.config import Prepare


def prepare(options: Prepare) -> None:
    """Write a manifest for each part of the corpus, and a list of what could not be used.

    Raises:
        DataError: nothing usable was found, or manifests are there already.
        ConfigError: two sources.
    """
    corpus, folder = CORPORA[options.kind], options.output_dir
    _check(options)
    preparation = Preparation(
        corpus,
        Source(
            options.source or options.archive,
            options.download_dir or cache_folder() / "downloads",
            options.unpack_dir or folder / "corpus",
            options.keep_archive,
        ),
        Choice(
            made=folder / "wav",
            subsets=tuple(name.strip() for name in options.subsets.split(",") if name.strip()),
            language=options.language,
            release=options.release,
            url=options.url,
        ),
        folder,
        (*corpus.parts, "train", "val"),
        force=options.force,
        shortest=options.min_duration or None,
        longest=options.max_duration or None,
    )
    preparation.refuse_existing()
    preparation.write(partial(by_speaker, val_fraction=options.val_fraction, seed=options.seed))


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
