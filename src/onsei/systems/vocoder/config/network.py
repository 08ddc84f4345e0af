"""Which network makes the sound."""

from __future__ import annotations

from typing import Literal

from onsei.config import Positive, options
from onsei.vocoder.shapes import GeneratorShape, HeadShape


@options
class Network:
    """The network that turns a mel into sound."""

    kind: Literal["hifigan", "istft"] = "hifigan"
    """HiFi-GAN's generator, or the fast head: ConvNeXt blocks and an inverse Fourier transform."""
    generator: GeneratorShape = GeneratorShape()
    """Shape of HiFi-GAN's generator."""
    head: HeadShape = HeadShape()
    """Shape of the fast head."""


@options
class Critics:
    """The discriminators that training sets against the network; they are no part of the model."""

    mpd_width: Positive = 1.0
    """Channels of the multi-period discriminator, as a multiple of the published ones."""
    msd_width: Positive = 1.0
    """Channels of the multi-scale discriminator, as a multiple of the published ones."""
