"""Options of articulation: network, losses, training, and what each verb takes."""

from onsei.systems.articulation.config.answer import Mel, Request
from onsei.systems.articulation.config.network import Model
from onsei.systems.articulation.config.prepare import Prepare
from onsei.systems.articulation.config.train import Augment, Data, Losses, Optimizer, Train
from onsei.systems.articulation.config.verbs import Evaluate, ExportMels, Synthesize

__all__ = [
    "Augment",
    "Data",
    "Evaluate",
    "ExportMels",
    "Losses",
    "Mel",
    "Model",
    "Optimizer",
    "Prepare",
    "Request",
    "Synthesize",
    "Train",
]
