"""Options of the verbs that make sketches."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from onsei.config import Fraction, NonNegative, NonNegativeInt, Positional, PositiveInt, flag, options, shown_as
from onsei.former import Former


@options
class FitSketch:
    """Find the codebook of sketch tokens: frames of songs, embedded at 25 a second, in a number of codes."""

    FORMER: ClassVar[Mapping[str, Former]] = {}

    data_jsonl: Annotated[Path, flag("--train-manifest")]
    """Manifest of the songs."""
    output_path: Path
    """File for the codebook; it ends in .safetensors, whatever ending is given."""
    embedding: Annotated[str, flag("--muq-model", "--muq-path")] = "OpenMuQ/MuQ-large-msd-iter"
    """MuQ model, by name on the Hub or folder, `@8` behind it for the output of layer 8; or `mel`: log mel frames,
    which need no weights."""
    codes: Annotated[PositiveInt, flag("--codebook-size", "--num-codes")] = 16384
    """Codes; the released checkpoints have 16384. Refused where the songs have fewer than 30 frames for each."""
    code_size: Annotated[PositiveInt, flag("--codebook-dim")] = 64
    """Principal axes of the embedding in which codes are told apart."""
    cosine: bool = False
    """Compare by angle."""
    whiten: Fraction = 0.5
    """How far the axes are brought to one variance: 0 not at all, 1 wholly."""
    steps: NonNegativeInt = 2000
    """Steps of refinement after k-means, in which codes follow the running means of their frames and codes that are
    hardly used begin anew."""
    batch_size: PositiveInt = 1
    """Songs of a step."""
    decay: Fraction = 0.99
    """Decay per step of the running means."""
    max_duration: NonNegative = 0.0
    """Seconds of each song that are used, from a place by chance; 0: all."""
    start: Literal["kmeans", "random"] = "kmeans"
    """What the codes begin as. `random` is for comparing: such a codebook is refused later on unless allowed there."""
    cache_dir: Path | None = None
    """Folder of the embedded frames, so that a further call computes none again; by default in onsei's cache."""
    seed: NonNegativeInt = 0
    """Of crops, k-means and the order of songs."""
    device: Annotated[str, flag("--muq-device")] = "auto"
    """Where the embedding is computed: `auto`, `cpu`, `cuda` or `mps`."""
    json: Path | None = None
    """Write usage, perplexity and error to this file as one flat JSON object."""
    force: bool = False
    """Overwrite a codebook that is there, and take more codes than the songs have frames for."""


@options
class Sketch:
    """Turn songs into sketch tokens, 25 a second, kept beside a manifest that names them."""

    codebook: Annotated[Positional[Path], shown_as("CODEBOOK")]
    """What `fit-sketch` wrote."""
    manifests: Annotated[Positional[tuple[Path, ...]], shown_as("MANIFEST…")]
    """Manifests of songs; each is written again, with the tokens' files, to the output folder."""
    output_dir: Path
    """Folder for the manifests, and for the tokens in `sketches`; tokens that are there already are kept."""
    embedding: Annotated[str, flag("--muq-model", "--muq-path")] = ""
    """Where the embedding's model lies now; by default where the codebook was fitted."""
    sample_rate: PositiveInt = 48000
    """Rate of the codec, in Hz: tokens are as many as its latents."""
    hop: PositiveInt = 1920
    """Samples of a latent at that rate."""
    random_codebook: bool = False
    """Accept a codebook that was never fitted."""
    device: Annotated[str, flag("--muq-device")] = "auto"
    """Where the embedding is computed: `auto`, `cpu`, `cuda` or `mps`."""
    force: bool = False
    """Overwrite manifests that are there."""
