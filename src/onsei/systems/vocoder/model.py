"""The networks of the vocoder: HiFi-GAN's generator or the fast head, and the discriminators of training."""

from __future__ import annotations

from onsei.systems.vocoder.config.network import Critics, Network
from onsei.vocoder.definition import MelDefinition
from onsei.vocoder.discriminators import MultiPeriod, MultiScale
from onsei.vocoder.generator import Generator
from onsei.vocoder.istft import Head
from onsei.vocoder.synthesis import Voice

__all__ = ["Voice", "build", "critics"]


def build(network: Network, mel: MelDefinition) -> Voice:
    """The network that the options describe, as it is trained.

    Raises:
        ConfigError: a shape that does not fit the mel.
    """
    mel.check()
    if network.kind == "istft":
        return Head(network.head, mel)
    return Generator(network.generator, mel)


def critics(options: Critics) -> tuple[MultiPeriod, MultiScale]:
    """The discriminators that the options describe."""
    return MultiPeriod(width=options.mpd_width), MultiScale(width=options.msd_width)
