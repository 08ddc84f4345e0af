"""Options of the verb `evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from onsei.config import Fraction, NonNegative, NonNegativeInt, Positional, Positive, PositiveInt, options, shown_as


@options
class Evaluate:
    """Measure a singer on songs that it never heard, everything beside a control."""

    model: Annotated[Positional[str], shown_as("MODEL")]
    """Model folder or Hub repository."""
    test_manifest: Path
    """Manifest of the songs, with their sketch tokens."""
    batch_size: PositiveInt = 8
    """Songs that are scored at once; each is also scored with the lyrics of another one."""
    limit: NonNegativeInt = 0
    """Score the first songs only, so many; 0: all."""
    morae: NonNegativeInt = 24
    """Songs with timed syllables in which the network, after the true song up to where a mora begins, sings on for four
    tokens: do they begin that mora?"""
    pitch: NonNegativeInt = 8
    """Songs whose sound is made anew from their sketch, to compare its pitch."""
    sing: NonNegativeInt = 0
    """Songs that are sung freely, compared with the true songs and with their prompts, and heard by a listener, a phone
    recognizer that is trained on the little singer's other voices; what it hears means something for models of its
    songs."""
    embedding: str = "mel"
    """What hears how alike sounds are: `mel`, log mel frames, or a MuQ model by folder or name on the Hub."""
    steps: PositiveInt = 36
    """Euler steps of the diffusion."""
    diff_temp: Fraction = 0.95
    """Diffusion time at which noise enters."""
    temp: Positive = 0.9
    """Temperature of songs that are sung freely."""
    cfg_coef: NonNegative = 1.5
    """How far lyrics and prompt pull the language model in such songs; 1: not at all."""
    diff_cfg_coef: NonNegative | None = None
    """The same for the diffusion transformer; as cfg_coef when not given."""
    penalty_repeat: bool = True
    """Make tokens that were just sung less likely in such songs."""
    max_duration: Positive = 150.0
    """Longer rows are left out, and no song is sung for longer; seconds."""
    latent_cache: Path | None = None
    """Folder of the latents; by default in onsei's cache."""
    json: Path | None = None
    """Write the numbers to this file as one flat JSON object."""
    picture: Path | None = None
    """Draw the spectrograms of the first song and of its copy from the sketch; ends in .png or .svg."""
    seed: NonNegativeInt = 0
    """Of noise and of songs."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1` or `mps`."""
