"""Options of the verb `caption`: what pictures show, in words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from onsei.config import Positional, PositiveInt, flag, options, shown_as


@options
class Caption:
    """Give each row that has a picture and no text the words that a translator of pictures finds for it.

    A translator of speech then learns from rows of which nobody translated a word, such as the pairs of `ground`: what
    is said of a picture is taken to mean about what the picture shows. A text that is there is kept.
    """

    model: Annotated[Positional[Path], shown_as("MODEL")]
    """Translator that `train` made from captions (`--pivot.captions`)."""
    manifest: Annotated[Path, flag("--data-dir")]
    """Rows with `image`, such as those that `encode` wrote of pairs."""
    output_dir: Path
    """Folder for the rows with their `text`, in a file of the manifest's name, and for what lay beside it about their
    units."""
    beams: Annotated[PositiveInt, flag("--num-beams")] = 1
    """Sentences that are followed at a time; 1: the likeliest word after another."""
    batch_size: PositiveInt = 64
    """Pictures at a time."""
    force: bool = False
    """Replace a file that is there."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1` or `mps`."""
