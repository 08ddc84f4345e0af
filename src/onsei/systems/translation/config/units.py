"""Options of the stages `fit-units` and `encode`: units are found in the features of a frozen network, and written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from onsei.config import (
    Fraction,
    NonNegative,
    NonNegativeInt,
    Positional,
    Positive,
    PositiveInt,
    flag,
    options,
    shown_as,
)
from onsei.former import Former
from onsei.systems.translation.config.pretrain import Crops
from onsei.training.options import Training


@options
class Features:
    """What units are made of."""

    kind: Literal["layer", "mfcc", "mel"] = "layer"
    """A layer of the base model; or cepstra or log-mels, which need none."""
    layer: int = -1
    """Whose output is taken: 1 the first, -1 the last one's; 0 what the first is given."""
    size: PositiveInt = 16
    """Cepstra, or bands of log-mels."""
    slopes: NonNegativeInt = 1
    """Orders of their slopes over time."""
    standardize: bool = False
    """Bring each feature of a layer to mean 0 and deviation 1 over the clip, so that voice and room show less."""
    smooth: PositiveInt = 1
    """Frames that are averaged around each, an odd number; 3 steadies units of small networks, and lowers the
    bitrate."""


@options
class Units:
    """How many units there are, and how they are found."""

    num_clusters: Annotated[PositiveInt, flag("--codes")] = 512
    """Units, that is codes of the codebook."""
    code_size: NonNegativeInt = 0
    """Values of a code; 0: as many as the features have, 64 at most."""
    layer_norm: bool = False
    """Bring each frame to mean 0 and deviation 1 first."""
    whiten: Fraction = 0.0
    """How far the features' principal axes are brought to one variance: 0 not at all, 1 wholly."""
    cosine: bool = False
    """Compare by angle."""
    decay: Fraction = 0.99
    """Decay per step of the codes' running means."""
    commitment: NonNegative = 0.25
    """Weight of the distance from projected frames to their codes."""
    restart: bool = True
    """Move codes that are hardly used to frames of the batch."""
    sample: PositiveInt = 200_000
    """Frames that k-means fits, at most, drawn from all recordings; the quantizer then learns from all of them."""
    polish: NonNegativeInt = 2
    """Steps of Lloyd's algorithm over these frames after it."""


@options
class FitUnits:
    """Find acoustic units in bare recordings, and write the model that hears them."""

    FORMER: ClassVar[Mapping[str, Former]] = {"--num-train-epochs": Former({"*": "--epochs {value}"})}

    train_manifest: Annotated[Path, flag("--data-dir")]
    """Recordings: a folder that is searched for sound, or a manifest."""
    output_dir: Path
    """Folder of the run, and at the end of the model."""
    base_model_path: Annotated[str, flag("--base-model")] = ""
    """Model folder of `pretrain`, or folder or Hub repository of a wav2vec 2.0, HuBERT or WavLM encoder."""
    val_manifest: Path | None = None
    """Recordings to validate on; without it some of the others are held out. Where its rows have aligned `phones`, the
    units are compared with them."""
    codebook: Path | None = None
    """Unit model of the same base model whose codes are taken in place of k-means."""
    features: Features = Features()
    """What units are made of."""
    units: Units = Units()
    """The units."""
    data: Crops = Crops()
    """Batches."""
    learning_rate: Annotated[Positive, flag("--lr")] = 1e-3
    """Learning rate of the projection and of the way back."""
    study: NonNegativeInt = 0
    """Try so many numbers of clusters first (Optuna, in study.db in the output folder), and take the best: by
    normalized mutual information with phones where rows have them, else by the shortest description of the features."""
    study_clusters: tuple[PositiveInt, PositiveInt] = (32, 1024)
    """Between which numbers of clusters the study looks."""
    training: Training = Training(epochs=2)
    """The clock: epochs, checkpoints, trackers."""


@options
class Encode:
    """Write the units of recordings, or print them."""

    model: Annotated[Positional[Path], shown_as("MODEL")]
    """Model folder of `fit-units`."""
    audio: Annotated[Positional[tuple[Path, ...]], shown_as("[AUDIO …]")] = ()
    """Recordings whose units are printed."""
    manifest: Annotated[Path | None, flag("--data-dir", "--audio-dir")] = None
    """Manifest, or folder of sounds, whose rows are written with their units."""
    output_dir: Annotated[Path | None, flag("--preprocessed-data-dir")] = None
    """Folder for units.jsonl, encode.json and faults.tsv."""
    collapse: bool = True
    """Take repeats of a unit together."""
    shard: str = ""
    """Encode only this share of the rows, such as 2/4, beside other processes or machines with the others; the last to
    end puts them together. Empty: all rows."""
    num_workers: NonNegativeInt = 0
    """Processes that read sounds; 0 reads them in this one, while the network computes."""
    batch_seconds: Positive = 120.0
    """Most sound in a batch, in seconds."""
    device: str = "auto"
    """Where to compute: auto, cpu, cuda, cuda:1 or mps."""
    format: Literal["json", "text"] = "text"
    """What is printed of recordings: the numbers of their units, or all that is known."""
    force: bool = False
    """Begin anew where the output folder holds units of another model or manifest."""
