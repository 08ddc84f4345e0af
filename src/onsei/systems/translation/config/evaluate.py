"""Options of the verb `evaluate`: how well speech is understood, beside controls that do not hear."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from onsei.config import NonNegativeInt, Positional, PositiveInt, options, shown_as


@options
class Evaluate:
    """Measure a translator, or a semantic core, on a manifest; every number stands beside one that does not hear."""

    model: Annotated[Positional[str], shown_as("MODEL")]
    """Folder of a translator, or of a semantic core."""
    test_manifest: Path
    """Encoded rows with `text` (a translator) or `image` (a core)."""
    train_manifest: Path | None = None
    """What the translator learned from: for the controls of a random and of a constant sentence, and the share of
    sentences that recur. Without it both are drawn from the test."""
    json: Path | None = None
    """Write the numbers to this file as one flat JSON object."""
    table: Path | None = None
    """Write one JSON line a clip: what was said, what was written."""
    lowercase: bool = False
    """Count without regard to capitals."""
    tokenize: str = ""
    """sacrebleu's tokenizer; empty: 13a."""
    beams: PositiveInt = 1
    """Sentences that are followed at a time."""
    draws: PositiveInt = 1000
    """Random pairings that recall is held against."""
    resamples: PositiveInt = 500
    """Draws of the intervals."""
    seed: NonNegativeInt = 0
    """Seed of what is drawn."""
    force: bool = False
    """Replace a table that is there."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1` or `mps`."""
