"""Options of the verbs that exchange models with other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from onsei.config import Positional, options, shown_as


@options
class Import:
    """Make a model folder of a checkpoint of deepspeech.pytorch, or of a folder of transformers with a CTC head.

    None of their code is run.
    """

    checkpoint: Annotated[Positional[Path], shown_as("CHECKPOINT")]
    """A `.pth`, `.pth.tar` or `.ckpt` file of either generation, or a folder with `config.json` and `vocab.json`."""
    output_dir: Path
    """Folder of the model."""
    labels_path: Path | None = None
    """JSON list of its labels, where the checkpoint holds none (a bare state_dict)."""
    force: bool = False
    """Replace a model that is there."""


@options
class Export:
    """Write a recognizer as one ONNX file, for runtimes without Python or PyTorch."""

    model: Annotated[Positional[str], shown_as("MODEL")]
    """Model folder or Hub repository."""
    output: Path
    """The file to write, `.onnx`."""
    input: Literal["sound", "features"] = "sound"
    """What the file takes: samples at the model's rate, or the features of the front end."""
    force: bool = False
    """Replace a file that is there."""
