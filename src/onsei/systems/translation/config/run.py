"""Options of the verb `run`: all stages, one after another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from onsei.config import NonNegativeInt, Positional, options, shown_as

StageName = Literal["data", "pretrain", "fit-units", "encode", "ground", "train", "evaluate"]


@options
class Run:
    """From recordings to a measured translator; what is done and unchanged is skipped, what was stopped goes on."""

    recipe: Annotated[Positional[str], shown_as("RECIPE")] = "tiny"
    """A recipe with a section a stage: a name, or a YAML file."""
    output_dir: Path = Path("runs/translation")
    """Folder for `data/` and `models/`, which bear the original's names."""
    data_dir: Path | None = None
    """Folder that `prepare` wrote: unlabeled.jsonl, pairs_train.jsonl, parallel_train.jsonl, and, where they are, those
    of validation and test; without it a small world of shapes is made, with a language of its own (needs
    `onsei[demo]`)."""
    last: StageName = "evaluate"
    """Stage to end with."""
    seed: NonNegativeInt = 0
    """Seed of the world and of all training."""
    dry_run: bool = False
    """Say what would be done and why, and do nothing."""
