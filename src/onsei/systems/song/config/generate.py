"""Options of singing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from onsei.config import NonNegative, NonNegativeInt, Positional, Positive, PositiveInt, flag, options, shown_as
from onsei.former import Former
from onsei.systems.song.config.answer import Sampling


@options
class Generate:
    """Sing lyrics: those on the command line, or every line of a file."""

    FORMER: ClassVar[Mapping[str, Former]] = {
        "--ckpt-path": Former(
            {},
            "the model has no flag",
            "write the model folder as the first word; `onsei song import CHECKPOINT --output-dir DIR` makes one",
        ),
        "--use-lora": Former({"*": ""}, "has no effect: `onsei song import` joins adapters with their base"),
    }

    model: Annotated[Positional[str], shown_as("MODEL")]
    """Model folder or Hub repository."""
    lyrics: Annotated[Positional[str], shown_as("LYRICS")] = ""
    """Words with tags of sections: `[verse] さくら. さくら , [chorus] はる`."""
    input_jsonl: Path | None = None
    """Songs to sing, a JSON object a line: `{"idx": "name", "lyrics": "…", "prompt_wav": "voice.wav"}`, or rows of
    `prepare`; paths are relative to the file."""
    prompt_wav: Path | None = None
    """A sound whose voice and style are taken up, for lyrics on the command line."""
    phones: bool = False
    """The lyrics are symbols of the model's table, with spaces between."""
    output_dir: Path | None = None
    """Write NAME.wav here for each song, beside it NAME.json (what was asked and drawn), NAME.lrc (when its lines are
    sung, estimated) and NAME.safetensors (what it is made of); needed unless the format is json."""
    output_format: Literal["wav", "mp3", "flac", "json"] = "wav"
    """Files to write; json prints one object a song with its samples."""
    stream: bool = False
    """Sing one song after the other, and write its sound while it is being sung: NAME.part.wav grows block by block."""
    continue_from: Path | None = None
    """Go on with a song that has not ended: its .safetensors, or the sound beside it. It needs no lyrics."""
    repaint: Path | None = None
    """Sing a part of this song anew, from --from to --to: the sound, with its .safetensors beside it. With lyrics, or
    the prompt, that are given, else with its own; what stands behind the part stays as it was."""
    repaint_from: Annotated[NonNegative, flag("--from")] = 0.0
    """Second of the song from which on it is sung anew: from the block on that holds it."""
    repaint_to: Annotated[NonNegative, flag("--to")] = 0.0
    """Second up to which it is sung anew: with the block that holds it."""
    n_samples: PositiveInt = 1
    """Songs of the same lyrics, each with a seed one higher."""
    max_duration: Positive = 150.0
    """Longest song, in seconds."""
    batch_size: PositiveInt = 1
    """Songs that are sung at once; each is what it is alone."""
    sampling: Sampling = Sampling()
    """How songs are drawn."""
    force: bool = False
    """Overwrite songs that are there."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1` or `mps`."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Number format of the network; the codec always computes in 32 bits."""
    seed: NonNegativeInt = 0
    """Every random choice follows from it."""
