"""The labels of a run: given, read off the transcripts, or learned from them; and the verb that shows them."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

from onsei.data.manifest import Manifest, refuse_existing
from onsei.errors import ConfigError, DataError
from onsei.hub.store import ModelFolder
from onsei.paths import write_text, written_aside
from onsei.systems.recognition.config import Labels, Train
from onsei.text.alphabet import ENGLISH, Alphabet
from onsei.text.census import Census
from onsei.text.pieces import FILE, Pieces
from onsei.text.spelling import Spelling


def chosen(options: Train, manifest: Manifest) -> tuple[Alphabet, Counter[str]]:
    """The alphabet that the options name, and what of the transcripts was left out of it by their choice.

    Raises:
        ConfigError: labels are given twice, or are no labels.
        DataError: they are to be read off a manifest without text.
    """
    if options.units == "bpe":
        return _of_pieces(options, manifest)
    if not options.labels_from_data:
        if options.labels_path is not None:
            return Alphabet.read(options.labels_path, options.case, options.units, options.script), Counter()
        return Alphabet(options.labels or ENGLISH, options.case, options.units, options.script), Counter()
    if (options.labels_path is not None or options.labels) and not options.training.finetune:
        raise ConfigError(
            "labels_from_data: there are labels already, by labels_path or labels", "--no-labels-from-data keeps these"
        )
    spelling = Spelling(options.case, options.script)
    census = Census.of(texts(manifest), spelling, options.units)
    labels, rare = census.labels(options.min_count), census.rare(options.min_count)
    if len(labels) == 1:
        seen = f"no {options.units} seen {options.min_count} times or more"
        raise DataError(f"{manifest.path}: {seen} in {census.texts} transcripts", "lower --min-count")
    print(f"{manifest.path}: {len(labels) - 1} labels from {census.texts} transcripts{_told(rare)}")
    return Alphabet(labels, options.case, options.units, options.script), rare


def _of_pieces(options: Train, manifest: Manifest) -> tuple[Alphabet, Counter[str]]:
    if (options.labels_path is not None or options.labels) and not options.training.finetune:
        raise ConfigError("units: bpe learns its labels, but labels or labels_path are given", "leave these out")
    spelling = Spelling(options.case, options.script)
    path = options.pieces_path or _of_run(options)
    if path is not None:
        return Alphabet.of_pieces(Pieces.read(path), options.case, options.script), Counter()
    census = Census.of(texts(manifest), spelling)
    rare = census.rare(options.min_count)
    pieces = learned(manifest, spelling, set(rare), options.vocab_size)
    print(f"{manifest.path}: {options.vocab_size} pieces from {census.texts} transcripts{_told(rare)}")
    return Alphabet.of_pieces(pieces, options.case, options.script), rare


def _of_run(options: Train) -> Path | None:
    """The pieces of the run that is continued, from its folder or one of its checkpoints."""
    run = Path(options.training.continue_from)
    places = [run, *run.parents[:2]] if options.training.continue_from else []
    return next((place for place in places if (place / FILE).is_file()), None)


def learned(manifest: Manifest, spelling: Spelling, rare: set[str], size: int) -> Pieces:
    """Pieces of the manifest's transcripts, spelled and without the characters in ``rare``.

    Raises:
        ConfigError: ``size`` does not fit the transcripts.
        DataError: there are none.
    """
    spelled = (spelling(text) for text in texts(manifest))
    kept = ("".join(c for c in text if c not in rare) if rare else text for text in spelled)
    said = (text for text in kept if text)
    first = next(said, None)
    if first is None:
        raise DataError(f"{manifest.path}: no transcripts to learn pieces from", "give the rows the key `text`")
    return Pieces.learn(chain([first], said), size, spaced=spelling.spaced)


def kept(options: Train, alphabet: Alphabet) -> Alphabet:
    """``alphabet``, with its pieces written into the run folder, so that a resume cuts words as before."""
    if alphabet.pieces is not None:
        options.output_dir.mkdir(parents=True, exist_ok=True)
        with written_aside(options.output_dir / FILE) as aside:
            aside.write_bytes(alphabet.pieces.model)
    return alphabet


def opened(saved: ModelFolder) -> Alphabet:
    """The alphabet of a trained model."""
    config = saved.config
    pieces = Pieces.read(saved.path / FILE) if config["units"] == "bpe" else None
    return Alphabet(saved.labels, config["case"], config["units"], config.get("script", "plain"), pieces)


def settled(options: Train, alphabet: Alphabet) -> Train:
    """The options as a resume needs them: with the labels that were read, and judged by a rate that means something."""
    if options.labels_from_data:
        options = replace(options, labels=alphabet.labels, labels_path=None, labels_from_data=False)
    if not alphabet.spaced and options.training.monitor == "val/wer":
        print(f"monitor: val/cer in place of val/wer, as {options.script} has no spaces between words")
        options = replace(options, training=replace(options.training, monitor="val/cer"))
    return options


def texts(manifest: Manifest) -> Iterator[str]:
    """The transcripts of all rows that have one."""
    return (row.text for row in manifest.readable() if row.text is not None)


def labels(options: Labels) -> None:
    """Print the units of the transcripts, most frequent first, and write the labels where asked.

    Raises:
        OnseiError: the manifest holds no text, or the file is there already.
    """
    pieces = options.units == "bpe"
    if options.output is not None:
        refuse_existing([options.output / FILE if pieces else options.output], options.force)
    manifest = Manifest.open(options.manifest)
    spelling = Spelling(options.case, options.script)
    census = Census.of(texts(manifest), spelling, options.units)
    if not census.counts:
        raise DataError(f"{manifest.path}: no transcripts", "give the rows the key `text`")
    rare = census.rare(options.min_count)
    if pieces:
        _show_pieces(options, manifest, learned(manifest, spelling, set(rare), options.vocab_size), rare)
        return
    found = census.labels(options.min_count)
    counts = Counter({unit: n for unit, n in census.counts.most_common() if unit not in rare})
    print(f"{manifest.path}: {len(found) - 1} labels and the blank, from {census.texts} transcripts{_told(rare)}")
    print(_listed(counts))
    if options.output is not None:
        write_text(options.output, json.dumps(found, ensure_ascii=False) + "\n")
        print(f"wrote {options.output}; train with --labels-path {options.output} {_flags(options)}")


def _show_pieces(options: Labels, manifest: Manifest, pieces: Pieces, rare: Counter[str]) -> None:
    alphabet = Alphabet.of_pieces(pieces, options.case, options.script)
    counts: Counter[str] = Counter()
    characters = 0
    for text in texts(manifest):
        numbers = alphabet.encode(text)
        counts.update(alphabet.labels[number] for number in numbers)
        characters += len(alphabet.decode(numbers))
    length = characters / max(1, counts.total())
    print(f"{manifest.path}: {options.vocab_size} pieces with the blank, {length:.2f} characters each{_told(rare)}")
    print(_listed(counts))
    if options.output is not None:
        options.output.mkdir(parents=True, exist_ok=True)
        with written_aside(options.output / FILE) as aside:
            aside.write_bytes(pieces.model)
        print(f"wrote {options.output / FILE}; train with --pieces-path {options.output} {_flags(options)}")


def _listed(counts: Counter[str]) -> str:
    shown = "  ".join(f"{unit!r} {n}" for unit, n in counts.most_common())
    return textwrap.fill(shown, 100, break_long_words=False)


def _flags(options: Labels) -> str:
    words = [f"--case {options.case}"]
    words += [f"--units {options.units}"] if options.units != "characters" else []
    words += [f"--script {options.script}"] if options.script != "plain" else []
    return " ".join(words)


def _told(rare: Counter[str], most: int = 50) -> str:
    """What is left out and how often it occurs, in words."""
    if not rare:
        return ""
    shown = ", ".join(f"{unit!r} × {count}" for unit, count in rare.most_common(most))
    return f"; {len(rare)} left out as rare: {shown}{', …' if len(rare) > most else ''}"
