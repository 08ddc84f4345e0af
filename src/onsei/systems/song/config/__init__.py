"""Options of song: network, codec, sampling, training, and what each verb takes."""

from onsei.systems.song.config.answer import Request, Sampling, Song
from onsei.systems.song.config.network import Codec, Network

__all__ = ["Codec", "Network", "Request", "Sampling", "Song"]
