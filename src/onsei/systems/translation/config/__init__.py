"""Options of translation: one file a stage, and what a model is asked and answers."""

from onsei.systems.translation.config.answer import Candidate, Request, Translation
from onsei.systems.translation.config.caption import Caption
from onsei.systems.translation.config.evaluate import Evaluate
from onsei.systems.translation.config.ground import Ground
from onsei.systems.translation.config.prepare import Prepare
from onsei.systems.translation.config.pretrain import Pretrain
from onsei.systems.translation.config.retrieve import Retrieve
from onsei.systems.translation.config.run import Run
from onsei.systems.translation.config.speak import Speak
from onsei.systems.translation.config.train import Train
from onsei.systems.translation.config.translate import Translate
from onsei.systems.translation.config.units import Encode, FitUnits

__all__ = [
    "Candidate",
    "Caption",
    "Encode",
    "Evaluate",
    "FitUnits",
    "Ground",
    "Prepare",
    "Pretrain",
    "Request",
    "Retrieve",
    "Run",
    "Speak",
    "Train",
    "Translate",
    "Translation",
]
