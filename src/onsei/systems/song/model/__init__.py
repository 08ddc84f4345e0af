"""SongBloom's network, split by the paper's nouns."""

from onsei.systems.song.model.conditioners import Lyrics, Prompt
from onsei.systems.song.model.network import SongNetwork, Told

__all__ = ["Lyrics", "Prompt", "SongNetwork", "Told"]
