"""What `prepare` does: finds, opens, parts and writes."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from onsei.data import manifest, unpack
from onsei.data.row import Row
from onsei.errors import ConfigError, DataError
from onsei.paths import write_text
from onsei.systems.translation.config.prepare import Prepare
from onsei.systems.translation.prepare.found import (
    Found,
    add_manifest,
    add_pairs,
    add_parallel,
    captions,
    measured,
    recordings,
)
from onsei.systems.translation.prepare.parts import PARTS, parted
from onsei.systems.translation.prepare.speech import spoken
from onsei.vision import images

UNMATCHED = "unmatched.tsv"
_KINDS = ("pairs", "parallel")


def prepare(options: Prepare) -> None:
    """Write manifests for all stages, and the list of what could not be used.

    Raises:
        ConfigError: nothing was named, or halves of pairs only.
        DataError: nothing usable was found; manifests are there already.
    """
    _check(options)
    folder = options.output_dir
    names = ["unlabeled", *(f"{kind}_{part}" for kind in _KINDS for part in PARTS)]
    manifest.refuse_existing([folder / f"{name}.jsonl" for name in names], options.force)
    folder.mkdir(parents=True, exist_ok=True)
    found = _found(options)
    found = measured(found, options.min_duration, options.max_duration, check_images=options.check_images)
    if not (found.unlabeled or found.pairs or found.parallel):
        _write_faults(found, folder)
        raise DataError(f"no usable recording was found; {len(found.faults)} faults", f"see {folder / UNMATCHED}")
    _write(found, options)


def _check(options: Prepare) -> None:
    if not any((options.source, options.unlabeled, options.audio, options.captions)):
        raise ConfigError("nothing to prepare", "name a SOURCE, --unlabeled, or --audio with --images or --text")
    if options.audio and not (options.images or options.text or options.captions):
        raise ConfigError("--audio alone is half of a pair", "add --images, --text or --captions, or take --unlabeled")
    if options.captions and not options.images:
        raise ConfigError("--captions are of pictures", "add --images DIR")
    if options.val_fraction + options.test_fraction >= 1:
        raise ConfigError("val_fraction and test_fraction leave nothing to train on", "lower them")


def _found(options: Prepare) -> Found:
    found = Found()
    if options.source is not None:
        _add_source(found, options.source, options.output_dir)
    if options.unlabeled is not None:
        found.unlabeled += recordings(_folder(options.unlabeled))
    if options.captions is not None:
        _add_captions(found, options)
    elif options.audio is not None and options.images is not None:
        add_pairs(found, _folder(options.audio), _folder(options.images))
    if options.audio is not None and options.text is not None:
        add_parallel(found, _folder(options.audio), _folder(options.text))
    if not found.unlabeled:  # one folder may serve phases A and B
        seen: dict[tuple[Path | None, float | None], Row] = {}
        for row in (*found.pairs, *found.parallel):
            seen.setdefault((row.audio, row.offset), replace(row, image=None, text=None, extra={}))
        found.unlabeled = list(seen.values())
    return found


def _add_source(found: Found, source: Path, output: Path) -> None:
    """What a folder, archive or manifest holds, by the names in it."""
    if source.is_file() and unpack.is_archive(source):
        source = unpack.unpack(source, output / "unpacked")
    if source.is_file():
        add_manifest(found, source)
        return
    root = _folder(source)
    listed = sorted(root.glob("manifest.jsonl")) or sorted(root.glob("*/manifest.jsonl"))
    if listed:  # what the collection app exports
        add_manifest(found, listed[0])
        return
    unlabeled, pairs, parallel = (
        root / name for name in ("target_lang_unlabeled", "multimodal_pairs", "parallel_pairs")
    )
    known = False
    if unlabeled.is_dir() and any(unlabeled.iterdir()):
        found.unlabeled += recordings(unlabeled)
        known = True
    for audio, pictures in ((root / "audio", root / "images"), (pairs / "audio", pairs / "images")):
        if audio.is_dir() and pictures.is_dir():
            add_pairs(found, audio, pictures)
            known = True
    if (parallel / "audio").is_dir() and (parallel / "text").is_dir():
        add_parallel(found, parallel / "audio", parallel / "text")
        known = True
    if not known:
        found.unlabeled += recordings(root)


def _add_captions(found: Found, options: Prepare) -> None:
    """Pictures with their captions: recorded ones get them as sentences, others are spoken."""
    assert options.captions is not None
    assert options.images is not None
    texts = captions(options.captions)
    pictures = {path.stem: path.absolute() for path in images.files(_folder(options.images))}
    for stem in sorted(texts.keys() - pictures.keys()):
        found.fault("picture", options.captions, f"{stem}: no picture of this name in {options.images}")
    for stem in sorted(pictures.keys() - texts.keys()):
        found.fault("text", pictures[stem], f"no caption in {options.captions}")
    if options.audio is not None:
        start = len(found.pairs)
        add_pairs(found, _folder(options.audio), options.images)
        for number in range(start, len(found.pairs)):
            row = found.pairs[number]
            assert row.image is not None
            said = texts.get(row.image.stem)
            if said:
                found.pairs[number] = replace(row, text=said[0])
    else:
        both = {stem: said for stem, said in texts.items() if stem in pictures}
        made = spoken(
            both,
            options.output_dir / "audio",
            command=options.tts_command,
            voices=options.voices,
            all_captions=options.all_captions,
        )
        found.pairs += [replace(row, image=pictures[stem]) for stem, row in made]
    found.parallel += [row for row in found.pairs if row.text]


def _write(found: Found, options: Prepare) -> None:
    folder = options.output_dir
    shares = {"val": options.val_fraction, "test": options.test_fraction}
    rows = [*found.pairs, *found.parallel]
    kinds = ["pairs"] * len(found.pairs) + ["parallel"] * len(found.parallel)
    parts = parted(rows, shares, options.seed, by_speaker=options.group_by == "speaker", kinds=kinds)
    manifest.write(folder / "unlabeled.jsonl", _unheld(found.unlabeled, rows, parts))
    lines = [f"unlabeled: {_told(found.unlabeled)}"]
    split = {"pairs": parts[: len(found.pairs)], "parallel": parts[len(found.pairs) :]}
    for kind in _KINDS:
        mine: list[Row] = getattr(found, kind)
        for part in PARTS:
            chosen = [row for row, where in zip(mine, split[kind], strict=True) if where == part]
            target = folder / f"{kind}_{part}.jsonl"
            if chosen:
                manifest.write(target, chosen)
                lines.append(f"{kind}_{part}: {_told(chosen)}")
            else:
                target.unlink(missing_ok=True)
    _write_faults(found, folder)
    print("\n".join(lines))
    if found.faults:
        counts = Counter(kind for kind, _, _ in found.faults)
        told = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        print(f"{len(found.faults)} could not be used ({told}): {folder / UNMATCHED}")
    speakers = {row.speaker for row in (*found.unlabeled, *rows) if row.speaker}
    if len(speakers) == 1:
        print(f"warning: one speaker ({next(iter(speakers))}): nothing tells how other voices will be heard")


def _unheld(unlabeled: Sequence[Row], rows: Sequence[Row], parts: Sequence[str]) -> list[Row]:
    """Recordings to learn units from: not those whose meaning is tested later."""
    held = {(row.audio, row.offset) for row, part in zip(rows, parts, strict=True) if part == "test"}
    kept = [row for row in unlabeled if (row.audio, row.offset) not in held]
    return kept or list(unlabeled)


def _told(rows: Sequence[Row]) -> str:
    seconds = sum(row.duration or 0.0 for row in rows)
    return f"{len(rows)} recordings, {seconds / 3600:.2f} h"


def _write_faults(found: Found, folder: Path) -> None:
    if not found.faults:
        (folder / UNMATCHED).unlink(missing_ok=True)
        return
    text = io.StringIO()
    table = csv.writer(text, delimiter="\t", lineterminator="\n")
    table.writerow(("kind", "file", "reason"))
    table.writerows([" ".join(cell.split()) for cell in fault] for fault in found.faults)
    write_text(folder / UNMATCHED, text.getvalue())


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise DataError(f"{path}: no such folder", "check the path")
    return path
