"""Options of classification: features, network, training, and what each verb takes."""

from onsei.systems.classification.config.answer import Classification, Request, Score
from onsei.systems.classification.config.augment import Augment
from onsei.systems.classification.config.classify import Classify
from onsei.systems.classification.config.cross import CrossValidate
from onsei.systems.classification.config.evaluate import Evaluate
from onsei.systems.classification.config.features import Features
from onsei.systems.classification.config.network import Encoder, Model
from onsei.systems.classification.config.prepare import Prepare
from onsei.systems.classification.config.train import Data, Optimizer, Train

__all__ = [
    "Augment",
    "Classification",
    "Classify",
    "CrossValidate",
    "Data",
    "Encoder",
    "Evaluate",
    "Features",
    "Model",
    "Optimizer",
    "Prepare",
    "Request",
    "Score",
    "Train",
]
