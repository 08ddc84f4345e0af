"""The verb `evaluate`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from onsei.data.manifest import Manifest, refuse_existing
from onsei.data.row import Row
from onsei.errors import DataError, ModelError
from onsei.hub import store
from onsei.paths import write_text
from onsei.systems.translation.config.evaluate import Evaluate
from onsei.systems.translation.evaluation.searches import numbers as search_numbers
from onsei.systems.translation.evaluation.searches import searched
from onsei.systems.translation.evaluation.translations import numbers as translation_numbers
from onsei.systems.translation.evaluation.translations import translated
from onsei.systems.translation.ground.core import STAGE as GROUND
from onsei.systems.translation.ground.core import Core
from onsei.systems.translation.ground.hearing import Hearing
from onsei.systems.translation.ground.rows import about_of, units_of
from onsei.systems.translation.translator.inference import UnitTranslator
from onsei.systems.translation.translator.saving import STAGE as TRAIN


def evaluate(options: Evaluate) -> None:
    """Print what a translator, or a semantic core, is worth, and what does not hear would get; write JSON where asked.

    Raises:
        OnseiError: a fault in model or manifest.
    """
    if options.table is not None:
        refuse_existing([options.table], options.force)
    manifest = Manifest.open(options.test_manifest)
    saved = store.open(options.model, system="translation")
    if saved.stage == TRAIN:
        values = _translator(options, manifest, UnitTranslator.of(saved, options.device))
    elif saved.stage == GROUND:
        values = search_numbers(searched(Core.of(saved, options.device), manifest), options)
        _print_searches(values, options)
    else:
        raise ModelError(
            f"{saved.path}: a model of the stage {saved.stage}",
            "evaluate a translator (`train`) or a semantic core (`ground`)",
        )
    if options.json is not None:
        write_text(options.json, json.dumps(values, indent=1) + "\n")


def _translator(options: Evaluate, manifest: Manifest, runner: UnitTranslator) -> dict[str, float | str]:
    training = [] if options.train_manifest is None else texts(options.train_manifest)
    found = translated(runner, manifest, options.beams, hearing(runner, manifest, options.device))
    values = translation_numbers(found, training, options)
    _print_translations(values, options)
    if options.table is not None:
        lines = zip(found.ids, found.references, found.hypotheses, strict=True)
        rows = [json.dumps({"id": i, "text": r, "translation": h}, ensure_ascii=False) for i, r, h in lines]
        write_text(options.table, "\n".join(rows) + "\n")
    return values


def hearing(runner: UnitTranslator, manifest: Manifest, device: str) -> Callable[[Row], NDArray[np.int64]]:
    """What gives the units of rows: those that stand in them, or, where another model than the translator's wrote
    these, the acoustic model in its folder.

    Raises:
        ModelError: the translator's acoustic model is not there.
    """
    about = runner.config.get("acoustic", {})
    known, found = about.get("fingerprint"), about_of(manifest.path).get("fingerprint")
    if not known or not found or known == found:
        return units_of
    print(f"{manifest.path}: units of another acoustic model; the sounds are heard anew")
    listening = Hearing.of(None, about, runner.count, device, runner.folder)

    def heard(row: Row) -> NDArray[np.int64]:
        if row.audio is None:
            raise DataError(
                f"{row.id}: units of another acoustic model, and no audio", "encode it with the model's own"
            )
        offset, span = row.segment
        return listening(row.audio, offset=offset, duration=span, channel=row.channel)

    return heard


def texts(path: Path) -> list[str]:
    """The texts of a manifest's rows."""
    return [row.text.strip() for row in Manifest.open(path) if row.text and row.text.strip()]


def _print_translations(values: dict[str, float | str], options: Evaluate) -> None:
    table = Table(title=f"{options.model} on {options.test_manifest}, {values['clips']} clips", title_justify="left")
    for column in ("", "BLEU", "95 %"):
        table.add_column(column, justify="left" if not column else "right")
    table.add_row("translations", _one(values["bleu"]), f"{_one(values['bleu_low'])} – {_one(values['bleu_high'])}")
    for name, told in (
        ("shuffled", "the same, each of another clip"),
        ("zeroed", "the decoder shown zeros"),
        ("constant", "the best constant sentence"),
        ("random", "a random sentence"),
    ):
        table.add_row(told, _one(values[f"bleu_{name}"]), "")
    console = Console()
    console.print(table)
    console.print(f"chrF {_one(values['chrf'])}, exact {_one(values['exact'])} %", highlight=False)
    if options.train_manifest is not None:
        console.print(f"{_one(values['recurring'])} % of the sentences are in training word for word", highlight=False)
    slots = {name.removeprefix("slot/"): value for name, value in values.items() if name.startswith("slot/")}
    if slots:
        told = ", ".join(f"{name} {_one(value)} %" for name, value in slots.items())
        console.print(f"right by kind: {told}", highlight=False)
    console.print(str(values["signature"]), highlight=False)


def _print_searches(values: dict[str, float | str], options: Evaluate) -> None:
    title = f"{options.model} on {options.test_manifest}, {values['clips']} clips, {values['pictures']} pictures"
    table = Table(title=title, title_justify="left")
    for column in ("", "R@1 %", "R@5 %", "R@10 %", "median rank"):
        table.add_column(column, justify="left" if not column else "right")
    for way, told in (("s2i", "speech to image"), ("i2s", "image to speech")):
        table.add_row(told, *(_one(values[f"{way}_r{k}"]) for k in (1, 5, 10)), _one(values[f"{way}_median_rank"]))
        table.add_row("  by chance", *(_one(values[f"{way}_r{k}_chance"]) for k in (1, 5, 10)), "")
    console = Console()
    console.print(table)
    if "s2i_r10_p" in values:
        told = ", ".join(f"{way} {_one(values[f'{way}_r10_shuffled'])} % (p {values[f'{way}_r10_p']:.4f})"
                         for way in ("s2i", "i2s"))  # fmt: skip
        console.print(f"R@10 of shuffled pairs, and how likely chance does as well: {told}", highlight=False)


def _one(value: float | str) -> str:
    return f"{float(value):.1f}"
