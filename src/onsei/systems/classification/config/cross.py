"""Options of the verb `cross-validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from onsei.config import PositiveInt, flag, options
from onsei.systems.classification.config.train import Train


@options
class CrossValidate(Train):
    """Train once for each fold on all others and measure on it: how good a recipe is on sounds it never saw.

    It takes the options of training, and so its recipes. No run sees rows of its test, and none chooses weights by
    them: the last ones are measured.
    """

    train_manifest: Annotated[Path | None, flag("--manifest")] = None
    """Manifest of all sounds; required."""
    output_dir: Annotated[Path | None, flag("--save-folder")] = None
    """Folder for one run a fold; required."""
    val_manifest: Path | None = None
    """Not to be given: weights that were chosen by rows of the test would flatter it."""
    by: str = "fold"
    """Key of the rows that says which fold they are of: `fold`, `speaker`, `recording`, `artist` or any other."""
    folds: str = ""
    """Comma-separated folds to measure; all by default. The others are trained on in any case."""
    jobs: PositiveInt = 1
    """Folds that are trained at once, each in a process of its own."""
    json: Path | None = None
    """Write the numbers to this file as one flat JSON object; rates in percent."""
