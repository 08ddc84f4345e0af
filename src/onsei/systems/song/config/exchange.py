"""Options of exchanging models with SongBloom."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from onsei.config import NonNegative, Positional, options, shown_as


@options
class Import:
    """Make a model folder of a released checkpoint of SongBloom, or of one that its fork trained; no code of it is
    run."""

    checkpoint: Annotated[Positional[Path], shown_as("CHECKPOINT")]
    """A `.pt`, a Lightning `.ckpt`, with or without LoRA, a `.safetensors`, or the `.index.json` of several; or the
    fork's codebook."""
    output_dir: Path
    """Folder of the model."""
    config: Path | None = None
    """Its YAML configuration; by default the `.yaml` of the same name beside it."""
    vae_ckpt: Path | None = None
    """The autoencoder's `.ckpt`; by default what the checkpoint itself has of it, else the
    `autoencoder_music_dsp1920.ckpt` beside it."""
    vocab: Path | None = None
    """The table of symbols, `vocab_g2p.yaml`; by default the one beside it, else that of the released models."""
    muq_model: str = "OpenMuQ/MuQ-large-msd-iter"
    """Of a codebook (`vq_16384.pt` of the fork): the MuQ that it was fitted on, by name on the Hub or folder."""
    base: Path | None = None
    """Checkpoint that adapters belong to, where the file holds adapters alone."""
    lora_alpha: NonNegative = 0.0
    """Scale of LoRA times its rank, where the checkpoint does not tell; 0: as it tells."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Number format in which the network's weights are kept; the codec's stay in 32 bits."""
    force: bool = False
    """Replace a model that is there."""
