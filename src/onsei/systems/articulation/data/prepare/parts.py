"""Which clips are for training, validation and test; the manifests and the vocoder's filelists that say so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from onsei.data import manifest
from onsei.data.row import Row
from onsei.data.split import cut, cut_by_group
from onsei.errors import DataError
from onsei.paths import write_text
from onsei.systems.articulation.config.prepare import Prepare
from onsei.systems.articulation.data.windows import windows

PARTS = ("train", "val", "test")
FILELISTS = "hifigan_filelists"
_VALID = 0.1
"""Share of the vocoder's filelists that is validation, where no clip is."""
Parts = Mapping[str, Sequence[Row]]


def parted(rows: Sequence[Row], options: Prepare) -> dict[str, list[Row]]:
    """The clips of each part; with split random all of them are in train, and windows are parted later.

    Raises:
        DataError: names that no clip or speaker has, clips without a speaker, or too few of them.
    """
    if options.split == "random":
        return {"train": list(rows), "val": [], "test": []}
    keys = [_key(row, options) for row in rows]
    if options.val or options.test:
        return _named(rows, keys, options)
    shares = {"val": options.val_fraction, "test": options.test_fraction}
    distinct = sorted(set(keys))
    wanted = {name: max(1, round(share * len(rows))) for name, share in shares.items() if share}
    if len(distinct) <= len(wanted):
        kind = "speakers" if options.split == "speaker" else "clips"
        raise DataError(
            f"{len(distinct)} {kind} for {len(wanted) + 1} parts", "give more, or --val-fraction 0 --test-fraction 0"
        )
    if options.split == "speaker":
        codes = np.array([distinct.index(key) for key in keys], np.int32)
        chosen = cut_by_group(codes, wanted, options.seed)
    else:
        chosen = cut(len(rows), wanted, options.seed)
    return {name: [rows[int(number)] for number in chosen.get(name, ())] for name in PARTS}


def random_windows(rows: Sequence[Row], options: Prepare) -> dict[str, list[Row]]:
    """Windows of all clips, 80/10/10 by chance: as ``torch.utils.data.random_split`` parts them with the seed."""
    every = [window for row in rows for window in windows(row, options.ref_frames)]
    order = torch.randperm(len(every), generator=torch.Generator().manual_seed(options.seed)).tolist()
    first = int((1 - options.val_fraction - options.test_fraction) * len(every) + 1e-9)
    second = first + int(options.val_fraction * len(every) + 1e-9)
    cuts = {"train": order[:first], "val": order[first:second], "test": order[second:]}
    return {name: [every[number] for number in sorted(numbers)] for name, numbers in cuts.items()}


def write_manifests(folder: Path, rows: Sequence[Row], parts: Parts) -> dict[str, int]:
    """Write all.jsonl and a manifest for each part that holds something; returns how much each holds."""
    manifest.write(folder / "all.jsonl", rows)
    for name in PARTS:
        path = folder / f"{name}.jsonl"
        if parts[name]:
            manifest.write(path, parts[name])
        else:
            path.unlink(missing_ok=True)
    return {name: len(parts[name]) for name in PARTS}


def write_filelists(folder: Path, parts: Parts, options: Prepare) -> None:
    """Write the vocoder's training.txt and validation.txt, ``NAME|`` a line; clips of the test are in neither."""
    train, val = list(parts["train"]), list(parts["val"])
    if not val and len(train) > 1:
        chosen = cut(len(train), {"val": max(1, round(_VALID * len(train)))}, options.seed)
        train, val = ([train[int(number)] for number in chosen[name]] for name in ("train", "val"))
    for name, rows in (("training", train), ("validation", val)):
        write_text(folder / FILELISTS / f"{name}.txt", "".join(f"{row.id}|\n" for row in rows))


def _key(row: Row, options: Prepare) -> str:
    if options.split != "speaker":
        return row.id
    if row.speaker is None:
        raise DataError(f"{row.id}: no speaker is known", "put films into a folder for each, or give --speaker")
    return row.speaker


def _named(rows: Sequence[Row], keys: Sequence[str], options: Prepare) -> dict[str, list[Row]]:
    unknown = sorted({*options.val, *options.test} - set(keys))
    both = sorted({*options.val} & {*options.test})
    if unknown or both:
        kind = "speaker" if options.split == "speaker" else "clip"
        found = f"no {kind} is called {', '.join(unknown)}" if unknown else f"{', '.join(both)}: in val and in test"
        raise DataError(f"--val, --test: {found}", f"there are {', '.join(sorted(set(keys))[:12])}")
    names = {**dict.fromkeys(options.val, "val"), **dict.fromkeys(options.test, "test")}
    parts: dict[str, list[Row]] = {name: [] for name in PARTS}
    for row, key in zip(rows, keys, strict=True):
        parts[names.get(key, "train")].append(row)
    if not parts["train"]:
        raise DataError("--val, --test: nothing is left to train on", "name fewer")
    return parts
