"""The verb `prepare`: from recordings with transcripts to manifests."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, count
from pathlib import Path

import numpy as np
from rich.progress import track

from onsei.audio import io
from onsei.data import manifest
from onsei.data.row import Row, resolve_path
from onsei.errors import AudioError, DataError
from onsei.systems.recognition.config import Prepare

SOUNDS = frozenset("wav flac mp3 ogg opus m4a mp4 webm aiff aif au sph aac wma".split())  # noqa: SIM905


def prepare(options: Prepare) -> None:
    """Write ``train.jsonl`` and ``val.jsonl``; say what could not be used.

    Raises:
        DataError: nothing usable was found, or manifests are there already.
    """
    targets = [options.output_dir / "train.jsonl", options.output_dir / "val.jsonl"]
    manifest.refuse_existing(targets, options.force)
    pairs = list(_from_csv(options.source) if options.kind == "csv" else _from_folder(options.source))
    rows, faults = [], []
    for sound, text in track(pairs, "reading headers", transient=True):
        try:
            rows.append(_row(sound, text, options))
        except (AudioError, DataError) as error:
            faults.append(str(error))
    for fault in faults:
        print(f"left out: {fault}")
    if not rows:
        raise DataError(
            f"{options.source}: no sound with a transcript", "put a text file of the same name beside each sound"
        )
    rows = _named_apart(rows)
    order = np.random.default_rng(options.seed).permutation(len(rows))
    held = set(order[: round(options.val_fraction * len(rows))].tolist())
    parts = [[row for n, row in enumerate(rows) if (n in held) == wanted] for wanted in (False, True)]
    training = [row for row in parts[0] if _fits(row.duration or 0.0, options)]
    pruned = len(parts[0]) - len(training)
    for target, part in zip(targets, (training, parts[1]), strict=True):
        manifest.write(target, sorted(part, key=lambda row: row.duration or 0.0))
        print(f"{target}: {len(part)} utterances, {sum(row.duration or 0.0 for row in part) / 3600:.2f} h")
    print(f"left out: {len(faults)} unreadable, {pruned} by duration")


def _from_csv(path: Path) -> Iterator[tuple[Path, Path]]:
    try:
        lines = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines(), skipinitialspace=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read: {error}", "give a CSV file of `audio path,text path` rows") from None
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        if len(line) != 2:
            raise DataError(f"{path}, line {number}: expected `audio path,text path`, found {len(line)} columns")
        yield resolve_path(line[0].strip(), path.parent), resolve_path(line[1].strip(), path.parent)


def _from_folder(folder: Path) -> Iterator[tuple[Path, Path]]:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder", "give the folder that holds the recordings")
    for sound in sorted(folder.rglob("*")):
        if sound.suffix.lower().removeprefix(".") in SOUNDS:
            # the layout of the original's corpora: wav/NAME.wav beside txt/NAME.txt
            beside = [sound.with_suffix(".txt"), sound.parent.parent / "txt" / f"{sound.stem}.txt"]
            yield sound, next((text for text in beside if text.exists()), beside[0])


def _row(sound: Path, text: Path, options: Prepare) -> Row:
    header = io.info(sound)
    try:
        words = " ".join(text.read_text(encoding="utf-8-sig").split())
    except FileNotFoundError:
        raise DataError(f"{sound}: no transcript {text.name}") from None
    except UnicodeDecodeError:
        raise DataError(f"{text}: not UTF-8 text") from None
    except (OSError, ValueError) as error:  # a folder, no right to read, a NUL in the name
        raise DataError(f"{text}: cannot be read: {error}") from None
    if not words:
        raise DataError(f"{text}: empty transcript")
    return Row(id=sound.stem, audio=sound.resolve(), duration=round(header.duration, 4), text=words)


def _fits(seconds: float, options: Prepare) -> bool:
    return options.min_duration <= seconds and (not options.max_duration or seconds <= options.max_duration)


def _named_apart(rows: Sequence[Row]) -> list[Row]:
    taken = {row.id for row in rows}
    seen: set[str] = set()
    apart = []
    for row in rows:
        names = chain([row.id] if row.id not in seen else [], (f"{row.id}-{n}" for n in count(2)))
        name = next(name for name in names if name == row.id or name not in taken)
        seen.add(name)
        taken.add(name)
        apart.append(replace(row, id=name))
    return apart
