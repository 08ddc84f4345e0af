"""Options of the verb `classify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from onsei.config import Positional, PositiveInt, options, shown_as


@options
class Classify:
    """Name what recordings hold."""

    model: Annotated[Positional[str], shown_as("MODEL")]
    """Model folder or Hub repository."""
    audio: Annotated[Positional[tuple[Path, ...]], shown_as("AUDIO…")]
    """Sound files, any rate, format and channel count."""
    top_k: PositiveInt = 3
    """How many classes to name at most, the likeliest first."""
    format: Literal["text", "json"] = "text"
    """What is printed."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1` or `mps`."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Number format of the network."""
