"""Options of the verbs around training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from onsei.config import NonNegative, NonNegativeInt, Positional, PositiveInt, flag, options, shown_as
from onsei.former import Former

_CHECKPOINT = {
    "--checkpoint-file": Former({}, "the model has no flag", "write the model folder as the first word; `onsei vocoder "
    "import g_00500000 --output-dir DIR` makes one of a checkpoint"),
}  # fmt: skip


@options
class Vocode:
    """Speak mels, or copy sounds by way of their mels."""

    FORMER: ClassVar[Mapping[str, Former]] = _CHECKPOINT

    model: Annotated[Positional[str], shown_as("MODEL")]
    """Model folder or Hub repository; `griffin-lim` with --like needs no training."""
    sources: Annotated[Positional[tuple[Path, ...]], shown_as("MEL|AUDIO…")] = ()
    """Mels, `.npy` or `.npz`, or sound files, whose mels are then spoken (copy synthesis)."""
    output_dir: Path | None = None
    """Write NAME.wav here for each source NAME; needed unless the format is json."""
    mels_dir: Annotated[Path | None, flag("--input-mels-dir")] = None
    """Also every mel of this folder."""
    wavs_dir: Annotated[Path | None, flag("--input-wavs-dir")] = None
    """Also every sound of this folder."""
    refine: NonNegativeInt = 0
    """Iterations of Griffin-Lim that draw the network's sound to the mel afterwards: it then misses less of the mel and
    takes longer; 30 is much. 0: the sound as it is."""
    like: str = ""
    """With the model griffin-lim: model folder whose mel definition is meant."""
    format: Literal["wav", "json"] = "wav"
    """Write wav files, or print one JSON object a source with its samples."""
    force: bool = False
    """Overwrite sounds that are there."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1` or `mps`."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Number format of the network."""


@options
class Check:
    """Say whether mels fit a model before they are spoken or learned from, and how to convert those that do not."""

    model: Annotated[Positional[str], shown_as("MODEL")]
    """Model folder or Hub repository, or a JSON configuration of HiFi-GAN."""
    sources: Annotated[Positional[tuple[Path, ...]], shown_as("MEL…|MANIFEST")]
    """Mels, `.npy` or `.npz`; a manifest whose rows have `audio` and `features`; another model or JSON configuration,
    whose mel definition is compared."""
    wavs_dir: Path | None = None
    """Folder of the sounds that the mels were made from, NAME.wav for NAME.npy: lengths and definitions are compared
    with them."""
    tolerance: NonNegativeInt = 0
    """Frames by which a mel may be longer or shorter than its sound."""
    compared: PositiveInt = 8
    """Most mels that are compared with the mel of their sound."""


@options
class Evaluate:
    """Copy the sounds of a manifest through their mels and measure what is lost, beside Griffin-Lim."""

    model: Annotated[Positional[str], shown_as("MODEL")]
    """Model folder, Hub repository, or run folder with checkpoints."""
    test_manifest: Annotated[Path, flag("--input-test-file")]
    """Recordings; rows with `features` are spoken from these mels."""
    json: Path | None = None
    """Write the numbers to this file as one flat JSON object."""
    page: Path | None = None
    """Write a listening page (HTML) with every checkpoint side by side."""
    clips: PositiveInt = 6
    """Recordings on the listening page."""
    baseline: bool = True
    """Measure Griffin-Lim from the same mels too."""
    iterations: PositiveInt = 60
    """Iterations of Griffin-Lim."""
    refine: NonNegativeInt = 0
    """Measure the model's sound also after so many iterations of Griffin-Lim that draw it to the mel."""
    pesq: bool = False
    """Measure PESQ too, by the library pesq."""
    limit: NonNegativeInt = 0
    """Measure the first so many recordings; 0: all."""
    max_seconds: NonNegative = 60.0
    """Most seconds of each recording that are measured; 0: all."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1` or `mps`."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Number format of the network."""
