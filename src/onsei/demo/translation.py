"""The demo's chapter on translation: a language that nobody wrote down, understood through pictures."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onsei.audio import io
from onsei.data.manifest import Manifest
from onsei.demo.run import TITLE
from onsei.demo.world import Sizes, World, make_world
from onsei.demo.world.voices import SEEN, UNSEEN
from onsei.plots.report import Report, Sound
from onsei.systems.translation.config import Run
from onsei.systems.translation.evaluation.searches import searched
from onsei.systems.translation.ground.core import Core
from onsei.systems.translation.ground.rows import units_of
from onsei.systems.translation.plots import pictures_in_a_row
from onsei.systems.translation.run import run
from onsei.systems.translation.run.stages import CORE, ENCODED, FINAL
from onsei.systems.translation.translator.inference import UnitTranslator
from onsei.systems.translation.translator.picture import attention_figure
from onsei.vision import images

SIZES = Sizes(pairs=1500, parallel=200, val=60, test=100, captions=0, colors=8)
_HEARD = 8
"""Clips in the table."""
_NEAREST = 5


@dataclass(frozen=True)
class Told:
    """Numbers of the unseen test, and clips of it with what became of them."""

    retrieval: dict[str, Any]
    translation: dict[str, Any]
    rows: Manifest
    nearest: list[list[int]]
    """Numbers of the pictures that are nearest to each clip."""
    pictures: list[Path]
    written: list[str]
    control: list[str]
    """What the decoder writes that is shown zeros."""


def chapter(folder: Path, page: Path, seed: int) -> None:
    """Make the world, train, measure on kinds and voices that training never had, and write the chapter.

    Raises:
        MissingExtraError: espeak-ng is not installed.
    """
    place = folder / "translation"
    print(f"making a world: {SIZES.pairs} pictures are told in a language with 22 words, {SIZES.parallel} with English")
    world = make_world(folder / "world", seed, SIZES)
    run(Run(recipe="demo", output_dir=place, data_dir=world.folder, seed=seed))
    told = _told(place)
    print(
        f"translation of kinds and voices never met: BLEU {told.translation['bleu']:.0f} "
        f"(of other clips: {told.translation['bleu_shuffled']:.0f}); the right picture is among the five nearest of "
        f"{told.retrieval['pictures']:.0f} for {told.retrieval['s2i_r5']:.0f} % "
        f"(chance: {told.retrieval['s2i_r5_chance']:.0f} %)"
    )
    _report(place, world, told).save_chapter(page, "translation", title=TITLE, order=4)


def _told(place: Path) -> Told:
    results, models = place / "results", place / "models"
    retrieval, translation = (
        json.loads((results / f"unseen-{what}.json").read_text(encoding="utf-8"))
        for what in ("retrieval", "translation")
    )
    rows = Manifest.open(place / "data" / ENCODED / "unseen" / "units.jsonl")
    core, runner = Core.load(models / CORE, "cpu"), UnitTranslator.load(models / FINAL, "cpu")
    similarity = searched(core, rows).similarity
    clips = [units_of(rows[number]) for number in range(_HEARD)]
    nearest = [np.argsort(-line, kind="stable")[:_NEAREST].tolist() for line in similarity[:_HEARD]]
    pictures = [row.image for row in rows if row.image is not None]
    written = [one.sentences[0].text for one in runner(clips, beams=1)]
    return Told(retrieval, translation, rows, nearest, pictures, written, runner.zeroed(clips))


def _report(place: Path, world: World, told: Told) -> Report:
    report = Report("Translation", "A language without writing, learned from sound and pictures on this machine")
    report.metrics(
        {
            "BLEU on kinds and voices never met": f"{told.translation['bleu']:.0f}",
            "BLEU of the same, each of another clip": f"{told.translation['bleu_shuffled']:.0f}",
            f"right picture among 5 of {told.retrieval['pictures']:.0f}": f"{told.retrieval['s2i_r5']:.0f} %",
            "by chance": f"{told.retrieval['s2i_r5_chance']:.0f} %",
        }
    )
    report.text(
        f"{len(SEEN)} synthetic voices told {SIZES.pairs} pictures in an invented language, whose nouns come before "
        "their colors and whose second group comes before the first. Units were found in the bare sound, pictures gave "
        f"them meaning, and {SIZES.parallel} of the clips had an English sentence. The test has {len(UNSEEN)} other "
        "voices, and only shapes in colors that they never had in training. Synthetic speech is far easier than a "
        "village: these numbers say that the parts work together."
    )
    row = told.rows[0]
    assert row.audio is not None
    report.section("One clip", f"It means: {row.text}")
    report.audio(*io.load(row.audio))
    right = next(n for n, path in enumerate(told.pictures) if path == row.image)
    pixels = [_pixels(told.pictures[number]) for number in told.nearest[0]]
    titles = [f"{n}" + (" ✓" if number == right else "") for n, number in enumerate(told.nearest[0], 1)]
    report.figure(pictures_in_a_row(pixels, titles), "The five nearest pictures; the one that was told has a tick")
    report.text(f"Translated: `{told.written[0]}`\n\nBy the same decoder, shown nothing: `{told.control[0]}`")
    runner = UnitTranslator.load(place / "models" / FINAL, "cpu")
    figure = attention_figure(runner.attention(units_of(row)))
    report.figure(figure, "Where in the clip the decoder looked for each word; the order is not English")
    report.section("What it understood", "The control is what the decoder writes that is shown nothing.")
    report.table(("sound", "it means", "translated", "control"), [_line(told, n) for n in range(_HEARD)])
    slots = {name.removeprefix("slot/"): x for name, x in told.translation.items() if name.startswith("slot/")}
    report.table(("what is told", "right, %"), [(name, round(float(x), 1)) for name, x in slots.items()])
    report.section("Go on")
    gallery, model = world.folder / "test_unseen" / "images", place / "models"
    report.code(f"onsei translation retrieve {model / CORE} YOUR.wav --image-gallery-dir {gallery} --show")
    report.code(f"onsei translation translate {model / FINAL} YOUR.wav --attention where.png")
    report.code("onsei translation run tiny")
    return report


def _line(told: Told, number: int) -> tuple[Sound | None, str, str, str]:
    row = told.rows[number]
    sound = Sound(*io.load(row.audio)) if row.audio is not None else None
    return sound, row.text or "", told.written[number], told.control[number]


def _pixels(path: Path) -> NDArray[np.uint8]:
    return np.asarray(images.read(path))
