"""Options of the verb `speak`: units back to sound."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from onsei.config import NonNegativeInt, Positional, Positive, flag, options, shown_as


@options
class Speak:
    """Speak the units of recordings, to hear what they keep: who speaks and how is mostly gone, what is said stays."""

    model: Annotated[Positional[Path], shown_as("MODEL")]
    """Model folder of `fit-units`."""
    audio: Annotated[Positional[tuple[Path, ...]], shown_as("AUDIO …")]
    """Recordings whose units are spoken."""
    train_manifest: Annotated[Path, flag("--data-dir")]
    """Recordings that the sound of each unit is learned from: a manifest, or a folder of sounds."""
    output_dir: Path
    """Folder for NAME.units.wav of each recording."""
    seconds: Positive = 600.0
    """Most sound to learn from, in seconds."""
    vocoder: str = ""
    """Model folder of `onsei vocoder train` with a hop of one unit (320 samples at 16 kHz); empty: Griffin-Lim."""
    iterations: NonNegativeInt = 60
    """Of Griffin-Lim."""
    force: bool = False
    """Overwrite sounds that are there."""
