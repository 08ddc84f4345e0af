"""Options of the verb `evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from onsei.config import NonNegativeInt, Positional, PositiveInt, options, shown_as


@options
class Evaluate:
    """Measure a classifier on a manifest."""

    model: Annotated[Positional[str], shown_as("MODEL")]
    """Model folder or Hub repository."""
    test_manifest: Path
    """Manifest with labels."""
    json: Path | None = None
    """Write the numbers to this file as one flat JSON object; rates in percent."""
    batch_size: PositiveInt = 32
    """Most sounds in a batch."""
    num_workers: NonNegativeInt = 0
    """Processes that read files."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1` or `mps`."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Number format of the network."""
