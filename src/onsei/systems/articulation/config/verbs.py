"""Options of the verbs that use a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from onsei.config import NonNegativeInt, Positional, Positive, PositiveInt, flag, options, shown_as


@options
class ExportMels:
    """Write log-mels as a vocoder reads them: as a model reads them off films, or the true ones of prepared clips."""

    model: Annotated[Positional[str], shown_as("MODEL")]
    """Model folder or Hub repository; `ground-truth` for the stored mels of prepared clips."""
    sources: Annotated[Positional[tuple[Path, ...]], shown_as("VIDEO|MANIFEST|FOLDER…")]
    """Films; stored pictures (`mri.npy`); manifests that `prepare` wrote, or its folder for all clips."""
    output_dir: Path | None = None
    """Write NAME.npy here, of shape (bands, frames); needed unless the format is json."""
    log: Literal["natural", "decibel"] = "natural"
    """Unit of the written mels: natural logarithm of amplitude, as HiFi-GAN's; or dB. `vocoder.yaml`, which `prepare`
    writes, describes the first."""
    format: Literal["npy", "json"] = "npy"
    """Write files, or print one JSON object a film, in dB."""
    frame_rate: Positive | None = None
    """Frames a second, where the headers of films are wrong."""
    retime: bool = False
    """Bring films of another or an uneven rate to that of the model."""
    force: bool = False
    """Overwrite mels that are there."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1` or `mps`."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Number format of the network."""


@options
class Synthesize:
    """Speak films: read their mels, and let one voice after another speak these."""

    model: Annotated[Positional[str], shown_as("MODEL")]
    """Model folder or Hub repository of the mel generator."""
    sources: Annotated[Positional[tuple[Path, ...]], shown_as("VIDEO|MANIFEST|FOLDER…")]
    """Films; stored pictures (`mri.npy`); manifests that `prepare` wrote, or its folder for all clips."""
    output_dir: Path
    """A folder for each voice is made here, with NAME_generated.wav for each film, as long as the film to the sample;
    and numbers.json, where films have sound to compare with."""
    checkpoint: Annotated[tuple[str, ...], flag("--vocoder")] = ("pulse",)
    """Voices: model folders of `onsei vocoder train`, `g_` files of HiFi-GAN or folders of them; `pulse` (pulses
    at the pitch that the mel still shows, under its envelope) and `griffin-lim` (a whisper), which need no training."""
    page: Path | None = None
    """Write a listening page (HTML): each film's own sound and all voices side by side, with numbers and log-mels."""
    clips: PositiveInt = 6
    """Films on the listening page."""
    iterations: PositiveInt = 60
    """Iterations of Griffin-Lim."""
    pesq: bool = False
    """Measure PESQ too, by the library pesq."""
    frame_rate: Positive | None = None
    """Frames a second, where the headers of films are wrong."""
    retime: bool = False
    """Bring films of another or an uneven rate to that of the model."""
    force: bool = False
    """Overwrite sounds that are there."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1` or `mps`."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Number format of the networks."""


@options
class Evaluate:
    """Measure a mel generator on prepared clips: errors of the log-mel by band, and of the sound made of it."""

    model: Annotated[Positional[str], shown_as("MODEL")]
    """Model folder or Hub repository."""
    test_manifest: Path
    """Clips that `prepare` made."""
    json: Path | None = None
    """Write the numbers to this file as one flat JSON object."""
    table: Path | None = None
    """Write one JSON line a clip."""
    vocoder: tuple[str, ...] = ("pulse",)
    """Voices that speak the mels: `pulse` and `griffin-lim`, which need no training, vocoders of onsei, `g_` files of
    HiFi-GAN or folders of them. Numbers of the first have plain names, those of others begin with their name."""
    copy: bool = True
    """Measure what the voice makes of the true mels too, as `copy_…`: the best that it can make of predicted ones."""
    iterations: PositiveInt = 60
    """Iterations of Griffin-Lim."""
    ceiling: Positive = 5000.0
    """Frequency below which there are five formants, in Hz: 5000 for men, 5500 for women."""
    pesq: bool = False
    """Measure PESQ too, by the library pesq."""
    limit: NonNegativeInt = 0
    """Measure the first so many clips; 0: all."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1` or `mps`."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Number format of the network."""
