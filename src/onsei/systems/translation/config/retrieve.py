"""Options of the verb `retrieve`: pictures that speech may mean."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from onsei.config import Positional, PositiveInt, flag, options, shown_as


@options
class Retrieve:
    """Find the pictures that are nearest to what is said."""

    words: Annotated[Positional[tuple[str, ...]], shown_as("MODEL AUDIO…")] = ()
    """Semantic core, and sounds or folders of sounds."""
    semantic_model: Annotated[Path | None, flag("--model-dir", "--semantic-model-path")] = None
    """Semantic core in place of the first word."""
    query_audio_file: Path | None = None
    """A sound in place of further words."""
    query_manifest: Path | None = None
    """Encoded rows to search with, in place of sounds; needs no acoustic model."""
    acoustic_model: Annotated[Path | None, flag("--acoustic-model-path")] = None
    """Model of units; by default the one that the core's training rows were encoded with."""
    image_gallery_dir: Annotated[Path | None, flag("--gallery")] = None
    """Folder of pictures to search in, with those below; or a manifest whose rows have `image`. Needed."""
    captions: Path | None = None
    """Manifest with `image` and `text`, or a `captions.txt` of Flickr8k: the captions of the nearest pictures are
    printed too, as a translation by example."""
    top_k: Annotated[PositiveInt, flag("--topk", "-k")] = 5
    """How many pictures to name."""
    sheet: Path | None = None
    """Write a picture sheet of what was found to this file (PNG)."""
    show: bool = False
    """Open the sheet in the system's viewer."""
    format: Literal["table", "json"] = "table"
    """What is printed, `json`: one object a sound."""
    force: bool = False
    """Replace a sheet that is there."""
    refresh: bool = False
    """Make the index of the gallery anew, whatever is kept."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1` or `mps`."""
