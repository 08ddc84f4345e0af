"""SongBloom's network, split by the paper's nouns."""

from torch import nn

from onsei.systems.song.config.network import Codec, Network
from onsei.systems.song.model.analytic import Analytic
from onsei.systems.song.model.autoencoder import Autoencoder
from onsei.systems.song.model.conditioners import Lyrics, Prompt
from onsei.systems.song.model.network import Draws, Scores, SongNetwork, Told

__all__ = [
    "Analytic",
    "Autoencoder",
    "Draws",
    "Lyrics",
    "Prompt",
    "Scores",
    "SongModel",
    "SongNetwork",
    "Told",
    "opened",
]


class SongModel(nn.Module):
    """All that a model folder holds: the network, named as in the released checkpoints, and the codec.

    Args:
        network: sizes of the network.
        codec: sizes of the codec.
        symbols: size of the table of phones, tags and stops.
    """

    def __init__(self, network: Network, codec: Codec, symbols: int) -> None:
        super().__init__()
        self.model = SongNetwork(network, symbols)
        self.vae = opened(codec, network.latent_dim)


def opened(codec: Codec, latent_dim: int) -> Autoencoder | Analytic:
    """The codec of these sizes; one with weights has fresh ones.

    Raises:
        ConfigError: sizes that do not fit together.
        MissingExtraError: diffusers is not installed.
    """
    return (Analytic if codec.kind == "analytic" else Autoencoder)(codec, latent_dim)
