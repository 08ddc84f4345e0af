"""The labels of a run, given or read off the transcripts; and the verb that shows them before a training."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from onsei.data.manifest import Manifest, refuse_existing
from onsei.errors import ConfigError, DataError
from onsei.paths import write_text
from onsei.systems.recognition.config import Labels, Train
from onsei.text.alphabet import ENGLISH, Alphabet
from onsei.text.census import Census
from onsei.text.spelling import Spelling


def chosen(options: Train, manifest: Manifest) -> tuple[Alphabet, Counter[str]]:
    """The alphabet that the options name, and what of the transcripts was left out of it by their choice.

    Raises:
        ConfigError: labels are given twice, or are no labels.
        DataError: they are to be read off a manifest without text.
    """
    if not options.labels_from_data:
        if options.labels_path is not None:
            return Alphabet.read(options.labels_path, options.case, options.units, options.script), Counter()
        return Alphabet(options.labels or ENGLISH, options.case, options.units, options.script), Counter()
    if options.labels_path is not None or options.labels:
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


def settled(options: Train, alphabet: Alphabet) -> Train:
    """The options as a resume needs them: with the labels that were read, and judged by a rate that means something."""
    if options.labels_from_data:
        options = replace(options, labels=alphabet.labels, labels_from_data=False)
    if not alphabet.spaced and options.training.monitor == "val/wer":
        print(f"monitor: val/cer in place of val/wer, as {options.script} has no spaces between words")
        options = replace(options, training=replace(options.training, monitor="val/cer"))
    return options


def texts(manifest: Manifest) -> Iterator[str]:
    """The transcripts of all rows that have one."""
    return (row.text for row in manifest if row.text is not None)


def labels(options: Labels) -> None:
    """Print the units of the transcripts, most frequent first, and write the labels where asked.

    Raises:
        OnseiError: the manifest holds no text, or the file is there already.
    """
    if options.output is not None:
        refuse_existing([options.output], options.force)
    manifest = Manifest.open(options.manifest)
    census = Census.of(texts(manifest), Spelling(options.case, options.script), options.units)
    if not census.counts:
        raise DataError(f"{manifest.path}: no transcripts", "give the rows the key `text`")
    found, rare = census.labels(options.min_count), census.rare(options.min_count)
    kept = Counter({unit: n for unit, n in census.counts.most_common() if unit not in rare})
    print(f"{manifest.path}: {len(found) - 1} labels and the blank, from {census.texts} transcripts{_told(rare)}")
    print(textwrap.fill("  ".join(f"{unit!r} {n}" for unit, n in kept.items()), 100, break_long_words=False))
    if options.output is not None:
        write_text(options.output, json.dumps(found, ensure_ascii=False) + "\n")
        words = [f"--labels-path {options.output}", f"--case {options.case}"]
        words += [f"--units {options.units}"] if options.units != "characters" else []
        words += [f"--script {options.script}"] if options.script != "plain" else []
        print(f"wrote {options.output}; train with {' '.join(words)}")


def _told(rare: Counter[str], most: int = 50) -> str:
    """What is left out and how often it occurs, in words."""
    if not rare:
        return ""
    shown = ", ".join(f"{unit!r} × {count}" for unit, count in rare.most_common(most))
    return f"; {len(rare)} too rare for one: {shown}{', …' if len(rare) > most else ''}"
