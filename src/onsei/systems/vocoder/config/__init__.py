"""Options of the vocoder: mel, network, training, and what each verb takes."""

from onsei.systems.vocoder.config.answer import Request, Speech
from onsei.systems.vocoder.config.network import Critics, Network
from onsei.systems.vocoder.config.train import Data, Losses, Optimizer, Train
from onsei.systems.vocoder.config.verbs import Check, Evaluate, Vocode

__all__ = [
    "Check",
    "Critics",
    "Data",
    "Evaluate",
    "Losses",
    "Network",
    "Optimizer",
    "Request",
    "Speech",
    "Train",
    "Vocode",
]
