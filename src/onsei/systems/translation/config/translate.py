"""Options of the verb `translate`: what speech means, in words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from onsei.config import Positional, PositiveInt, flag, options, shown_as


@options
class Translate:
    """Translate recordings."""

    words: Annotated[Positional[tuple[str, ...]], shown_as("MODEL AUDIO…")] = ()
    """Translator, and sounds or folders of sounds."""
    model_path: Path | None = None
    """Translator in place of the first word."""
    audio_file: Path | None = None
    """A sound in place of further words."""
    acoustic_model: Annotated[Path | None, flag("--acoustic-model-path")] = None
    """Model of units; by default the one that lies in the translator's folder, or that it was trained with."""
    semantic_model: Annotated[Path | None, flag("--semantic-model-path")] = None
    """Has no effect: the translator holds its own."""
    params_path: Path | None = None
    """Has no effect: the translator holds its own."""
    n_best: Annotated[PositiveInt, flag("--nbest")] = 1
    """How many sentences to give for each sound."""
    beams: Annotated[PositiveInt, flag("--num-beams")] = 4
    """Sentences that are followed at a time; 1: the likeliest word after another."""
    show_units: bool = False
    """Print the units that were heard."""
    attention: Path | None = None
    """Draw where the decoder looked into this file (PNG or SVG); of the first sound."""
    format: Literal["text", "json"] = "text"
    """What is printed, `json`: one object a sound."""
    output: Path | None = None
    """Write to this file instead of printing."""
    force: bool = False
    """Replace a file that is there."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1` or `mps`."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Number format of the network."""
