"""Options of the verb `evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from onsei.config import NonNegativeInt, Positional, PositiveInt, options, shown_as
from onsei.training.options import TrackerName


@options
class Evaluate:
    """Measure a classifier on a manifest: accuracy, F1, what is taken for what, calibration, the hardest clips."""

    model: Annotated[Positional[str], shown_as("MODEL")]
    """Model folder or Hub repository: of onsei, or of transformers for audio classification."""
    test_manifest: Path
    """Manifest with labels."""
    json: Path | None = None
    """Write the numbers to this file as one flat JSON object; rates in percent, of each class as `recall/LABEL`."""
    table: Path | None = None
    """Write one JSON line a clip: what it is, what it was taken for, with which probability."""
    report: Path | None = None
    """Write one HTML page under 5 MB, with sounds and pictures inside, to hear what was taken for what."""
    title: str = ""
    """Title of the report."""
    tracker: tuple[TrackerName, ...] = ()
    """Where to show numbers, matrix and the hardest clips too: as a run of its own, in the model's folder."""
    force: bool = False
    """Replace a report that is there."""
    unknown_labels: Literal["fail", "drop"] = "fail"
    """What to do when rows are of classes that the model does not have: stop, or measure the others."""
    interval_by: Literal["auto", "clip", "artist", "recording", "speaker"] = "auto"
    """What the intervals are over: clips that are independent, or the clips of an artist, recording or speaker
    together. Auto: the first of these three that all rows have, where there are at least 10 of them; else clips."""
    resamples: PositiveInt = 2000
    """Draws of the bootstrap."""
    seed: NonNegativeInt = 0
    """Seed of the bootstrap."""
    batch_size: PositiveInt = 32
    """Most sounds in a batch."""
    num_workers: NonNegativeInt = 0
    """Processes that read files."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1` or `mps`."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Number format of the network."""
