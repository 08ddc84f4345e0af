"""Options of the verb `classify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from onsei.config import Positional, Positive, PositiveInt, flag, options, shown_as


@options
class Classify:
    """Name what recordings hold."""

    model: Annotated[Positional[str], shown_as("MODEL")]
    """Model folder or Hub repository: of onsei, or of transformers for audio classification."""
    audio: Annotated[Positional[tuple[str, ...]], shown_as("AUDIO…")] = ()
    """Sound files of any rate, format and channel count; folders, which are searched for sounds; http or https
    addresses of sounds; `-` for a sound on standard input."""
    top_k: Annotated[PositiveInt, flag("--topk")] = 3
    """How many classes to name at most, the likeliest first."""
    format: Literal["table", "json", "csv"] = "table"
    """What is written, a line for each sound: `json` is one object a line."""
    output: Path | None = None
    """Write to this file instead of printing."""
    force: bool = False
    """Replace an output file that is there."""
    max_megabytes: Positive = 512.0
    """Largest sound that is taken from an address or from standard input, in MiB."""
    timeout: Positive = 120.0
    """Longest time that a sound at an address may take to come, in seconds."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1` or `mps`."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Number format of the network."""
