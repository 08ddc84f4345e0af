"""The verb `caption`: pictures in words, so that speech about them can be learned from untranslated."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import torch

from onsei.data import manifest as manifests
from onsei.data.manifest import Manifest
from onsei.data.progress import progress
from onsei.data.row import Row
from onsei.errors import ConfigError, DataError, ModelError
from onsei.systems.translation.config.caption import Caption
from onsei.systems.translation.ground.rows import ABOUT
from onsei.systems.translation.translator.inference import UnitTranslator

_SHOWN = 5
"""Rows left out that are named."""
_SHOW_FROM = 500


@dataclass
class Count:
    """What became of rows."""

    written: int = 0
    kept: int = 0
    """Had a text already."""
    faults: list[str] = field(default_factory=list)
    """Why rows were left out; the first ones."""
    left_out: int = 0

    def leave_out(self, fault: str) -> None:
        """Count a row that cannot be used."""
        self.left_out += 1
        if len(self.faults) < _SHOWN:
            self.faults.append(fault)


def caption(options: Caption) -> int:
    """Write rows with what their pictures show; rows without a picture that can be read are left out, then the status
    is 2.

    Raises:
        ConfigError: the output is the manifest itself.
        ModelError: the model is no translator of pictures.
        DataError: there is an output already; no row could be used.
    """
    target = options.output_dir / options.manifest.name
    if target.resolve() == options.manifest.resolve():
        raise ConfigError("output_dir: is where the manifest lies", "name another folder", ["output_dir"])
    manifests.refuse_existing([target], options.force)
    runner = UnitTranslator.load(options.model, options.device)
    if runner.transform is None:
        raise ModelError(
            f"{options.model}: a translator of speech, which cannot see",
            "name one that learned from captions: `onsei translation train … --pivot.captions FILE`",
        )
    manifest, count = Manifest.open(options.manifest), Count()
    options.output_dir.mkdir(parents=True, exist_ok=True)
    manifests.write(target, _told(_rows(runner, manifest, options, count), count, manifest))
    about = options.manifest.parent / ABOUT
    if about.is_file():
        shutil.copyfile(about, options.output_dir / ABOUT)
    for fault in count.faults:
        print(f"onsei: left out: {fault}", file=sys.stderr)
    kept = f", {count.kept} kept the text that they had" if count.kept else ""
    lost = f", {count.left_out} left out" if count.left_out else ""
    print(f"{target}: {count.written} rows with what their pictures show{kept}{lost}")
    return 2 if count.left_out else 0


def _told(rows: Iterator[Row], count: Count, manifest: Manifest) -> Iterator[Row]:
    """``rows``, with an error at their end where none had a picture, so that nothing is written."""
    yield from rows
    if not count.written:
        first = f": {count.faults[0]}" if count.faults else ""
        fault = f"{manifest.path}: no row without a text could be given words{first}"
        raise DataError(fault, "name in `image`, beside the manifest or in full, pictures that can be read")


def _rows(runner: UnitTranslator, manifest: Manifest, options: Caption, count: Count) -> Iterator[Row]:
    """Rows with text, in their order."""
    with progress("captioning", len(manifest)) as advance:
        for first in range(0, len(manifest), options.batch_size):
            part = [manifest[n] for n in range(first, min(first + options.batch_size, len(manifest)))]
            looked = ((number, _seen(runner, row, count)) for number, row in enumerate(part))
            pixels = {number: seen for number, seen in looked if seen is not None}
            texts = runner.described(torch.stack([*pixels.values()]), beams=options.beams) if pixels else []
            found = dict(zip(pixels, texts, strict=True))
            for number, row in enumerate(part):
                if (row.text or "").strip():
                    count.kept += 1
                    yield row
                elif found.get(number):
                    count.written += 1
                    yield replace(row, text=found[number])
                elif number in found:
                    count.leave_out(f"{row.id}: the model found no words")
            advance(len(part), len(manifest) >= _SHOW_FROM)


def _seen(runner: UnitTranslator, row: Row, count: Count) -> torch.Tensor | None:
    """Pixels of a row that needs words; None where it does not, or cannot be read."""
    assert runner.transform is not None
    if (row.text or "").strip():
        return None
    if row.image is None:
        count.leave_out(f"{row.id}: the row has no image")
        return None
    try:
        return runner.transform.pixels(row.image)
    except DataError as error:
        count.leave_out(f"{row.id}: {error}")
        return None
