"""Options of song: network, codec, sampling, training, and what each verb takes."""

from onsei.systems.song.config.answer import Request, Sampling, Song
from onsei.systems.song.config.evaluate import Evaluate
from onsei.systems.song.config.exchange import Import
from onsei.systems.song.config.generate import Generate
from onsei.systems.song.config.network import Codec, Network
from onsei.systems.song.config.prepare import Prepare
from onsei.systems.song.config.sketch import FitSketch, Sketch
from onsei.systems.song.config.train import Train

__all__ = [
    "Codec",
    "Evaluate",
    "FitSketch",
    "Generate",
    "Import",
    "Network",
    "Prepare",
    "Request",
    "Sampling",
    "Sketch",
    "Song",
    "Train",
]
