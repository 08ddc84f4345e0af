"""The verb `prepare`: from songs with scores, labels, texts or a machine's ear to manifests with prompts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from onsei.audio import io
from onsei.data.corpora import Arranged, Choice, Corpus, Entry, Fault, Preparation, Source, Staged, Utterance
from onsei.data.corpora.staging import as_they_came
from onsei.data.row import Row
from onsei.data.split import cut_by_group
from onsei.errors import ConfigError, MissingExtraError, OnseiError
from onsei.paths import cache_folder
from onsei.systems.song.config.prepare import Prepare
from onsei.systems.song.data.corpora import LABELS, SCORE, TEXT, JaCappella, SongFolder, SongList
from onsei.systems.song.data.pieces import Piece, Span, pieces, singing
from onsei.systems.song.data.timed import Timed
from onsei.systems.song.data.words import MADE_BY, Listener, Report, words_of

REPOSITORY = "jaCappella/jaCappella"
PROMPTS = "prompts"
"""Folder of the prompts."""
PROMPT, PROMPT_FROM, SYMBOLS, SECTIONS = "prompt_wav", "prompt_from", "symbols", "sections"
"""Keys of rows: the prompt's file, relative to the manifest; where in the song it was cut, in seconds from the song's
beginning; lyrics as symbols; lyrics with times from the row's beginning."""
_OWN = (SCORE, LABELS, TEXT, "symbols", PROMPT)
_SHOWN = 12


def prepare(options: Prepare) -> None:
    """Write train.jsonl and val.jsonl, no song in both, their prompts, and a list of what could not be used.

    Raises:
        DataError: nothing usable was found, or manifests are there already.
        ConfigError: options that say different things.
    """
    _check(options)
    folder = options.output_dir
    path, repository = _source(options)
    downloads = options.download_dir or cache_folder() / "downloads"
    preparation = Preparation(
        _corpus(options),
        Source(path, downloads, options.download_dir or folder / "corpus", repository=repository),
        Choice(made=folder / "wav"),
        folder,
        ("train", "val"),
        force=options.force,
        noun="pieces of songs",
        usable="song with words",
    )
    preparation.refuse_existing()
    report = Report()
    listen = _listener(options) if options.transcribe else None
    preparation.write(
        partial(_by_song, options=options), partial(_worded, options=options, report=report, listen=listen)
    )
    for line in _told(report):
        print(line)


def _check(options: Prepare) -> None:
    if options.clean_japanese and options.musicxml_type == "romaji":
        raise ConfigError("--clean-japanese --musicxml-type romaji: nothing would be left", "leave one of them out")
    if options.no_download and not (options.source or options.download_dir):
        raise ConfigError("--no-download without --download-dir", "name the folder that the corpus lies in")
    if options.kind != "jacappella" and not options.source:
        raise ConfigError(f"{options.kind}: no SOURCE", "name the folder, or the JSONL file")


def _source(options: Prepare) -> tuple[Path | None, str]:
    """What is here, or else the Hub dataset that is meant."""
    if options.source:
        path = Path(options.source).expanduser()
        named = re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", options.source)
        here = path.exists() or not named or path.parent.exists() or options.no_download
        return (path, "") if here else (None, options.source)
    return (options.download_dir, "") if options.no_download else (None, REPOSITORY)


def _corpus(options: Prepare) -> Corpus:
    if options.kind == "jacappella":
        return JaCappella(options.audio_type, options.musicxml_type)
    return SongFolder() if options.kind == "folder" else SongList()


def _listener(options: Prepare) -> Listener:
    from onsei.systems.song.data.hearing import listener

    return listener(options)


def _by_song(staged: Mapping[str, Staged], *, options: Prepare) -> Arranged:
    """Train and val, by whole songs."""
    chosen = as_they_came(staged)
    train = staged.get("train")
    if train is None or not options.val_fraction:
        return chosen
    songs = train.codes("recording")
    if songs.max() < 1:  # one song cannot be on both sides
        return chosen
    wanted = {"val": max(1, round(options.val_fraction * len(train)))}
    parts = cut_by_group(songs, wanted, options.seed)
    return {name: (train, numbers) for name, numbers in parts.items()}


def _worded(entries: Iterable[Entry], options: Prepare, report: Report, listen: Listener | None) -> Iterator[Entry]:
    """Rows of songs with their words and prompts; faults for songs that have none that can be used."""
    for entry in entries:
        if isinstance(entry, Fault):
            yield entry
            continue
        try:
            timed, author = words_of(entry.row, options, report, listen)
            yield from _rows(entry, timed, author, options, report)
        except MissingExtraError:
            raise
        except OnseiError as error:
            yield Fault("transcript", entry.place, error.message)


def _rows(entry: Utterance, timed: Timed, author: str, options: Prepare, report: Report) -> Iterator[Entry]:
    row = entry.row
    duration = row.duration or 0.0
    own = _own_prompt(entry, report)
    if own is not None and duration <= options.max_duration:
        cut = [Piece(Span(0.0, duration), Span(0.0, 0.0))]
    else:
        cut = pieces(
            timed,
            duration,
            options.prompt_sec,
            longest=options.max_duration,
            most=options.max_phones,
            seconds_per_tag=options.seconds_per_tag,
        )
    kept = []
    for piece in cut:
        if piece.span.length < options.min_duration:
            start, end = piece.span
            yield Fault("duration", entry.place, f"from {start:.1f} s to {end:.1f} s: shorter than --min-duration")
        elif not singing(timed, piece.span):
            yield Fault("transcript", entry.place, f"from {piece.span.start:.1f} s to {piece.span.end:.1f} s: no words")
        else:
            kept.append(piece)
    if len(kept) > 1:
        report.notes["songs cut between sentences"] += 1
    for number, piece in enumerate(kept, 1):
        name = row.id if len(kept) == 1 else f"{row.id}-{number}"
        yield entry._replace(row=_row(entry, name, piece, timed, author, own, options))


def _own_prompt(entry: Utterance, report: Report) -> Path | None:
    """The prompt that the row brings; not one that is the song itself."""
    named = entry.row.extra.get(PROMPT)
    if named is None:
        return None
    path = Path(named)
    if entry.row.audio is not None and path.resolve() == entry.row.audio.resolve():
        report.notes["prompt is the song itself: another place is taken"] += 1
        return None
    io.info(path)
    return path


def _row(
    entry: Utterance, name: str, piece: Piece, timed: Timed, author: str, own: Path | None, options: Prepare
) -> Row:
    row = entry.row
    begins = row.offset or 0.0
    cut = timed.cut(*piece.span)
    extra = {key: value for key, value in row.extra.items() if key not in _OWN}
    whole = row.offset is None and piece.span.length >= (row.duration or 0.0) - 1e-6
    if own is not None:
        extra[PROMPT] = Path(os.path.relpath(own, options.output_dir)).as_posix()
    else:
        extra[PROMPT] = _write_prompt(row.audio, name, begins, piece.prompt, options)
        extra[PROMPT_FROM] = [round(begins + second, 3) for second in piece.prompt]
    extra[SYMBOLS] = " ".join(cut.symbols(options.seconds_per_tag))
    extra[SECTIONS] = cut.dump()
    if author:
        extra[MADE_BY] = author
    return replace(
        row,
        id=name,
        offset=None if whole else round(begins + piece.span.start, 4),
        duration=round(piece.span.length, 4),
        text=str(cut.lyrics(options.seconds_per_tag)),
        extra=extra,
    )


def _write_prompt(audio: Path | None, name: str, begins: float, span: Span, options: Prepare) -> str:
    assert audio is not None, "a song has a sound"
    samples, rate = io.load(audio, offset=begins + span.start, duration=span.length)
    target = options.output_dir / PROMPTS / (re.sub(r"[^\w.-]", "_", name) + ".wav")
    io.save(target, samples, rate)
    return f"{PROMPTS}/{target.name}"


def _told(report: Report) -> Iterator[str]:
    for note, count in report.notes.most_common():
        yield f"note: {note} ({count})"
    if report.removed:
        shown = ", ".join(f"{word} ({count})" for word, count in report.removed.most_common(_SHOWN))
        yield f"note: --clean-japanese took out {report.removed.total()} words in Latin letters: {shown}"
    if report.unknown:
        shown = ", ".join(f"{word!r} ({count})" for word, count in report.unknown.most_common(_SHOWN))
        yield f"note: {report.unknown.total()} words that no dictionary has, sung letter by letter or as UNK: {shown}"
