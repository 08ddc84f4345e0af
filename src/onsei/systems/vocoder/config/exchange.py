"""Options of the verbs that exchange models with other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from onsei.config import NonNegativeInt, Positional, options, shown_as


@options
class Import:
    """Make a model folder of a generator of HiFi-GAN, in any layout of weight normalization; no code of it is run."""

    checkpoint: Annotated[Positional[Path], shown_as("CHECKPOINT")]
    """A `g_00500000` file, or a folder, of which the newest is taken."""
    output_dir: Path
    """Folder of the model."""
    config: Path | None = None
    """Its JSON configuration; by default the `config.json` beside it."""
    force: bool = False
    """Replace a model that is there."""


@options
class Export:
    """Write a vocoder for other tools: HiFi-GAN's own files, or one ONNX file from mel to sound."""

    model: Annotated[Positional[str], shown_as("MODEL")]
    """Model folder or Hub repository; with --pair the folder of a run."""
    output: Path
    """A file `.onnx`; or a folder, for `g_00500000` and `config.json` as HiFi-GAN reads them."""
    pair: bool = False
    """Write the `g_` and `do_` of the run's newest checkpoint, for HiFi-GAN's training to go on from."""
    steps: NonNegativeInt | None = None
    """Number in the name of the `g_` file; by default the steps that the model was trained."""
    force: bool = False
    """Replace files that are there."""
