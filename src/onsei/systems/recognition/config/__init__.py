"""Options of recognition: features, network, training, and what each verb takes."""

from onsei.systems.recognition.config.answer import Request, Span, Transcript
from onsei.systems.recognition.config.augment import Augment
from onsei.systems.recognition.config.benchmark import Benchmark
from onsei.systems.recognition.config.exchange import Export, Import
from onsei.systems.recognition.config.features import Features
from onsei.systems.recognition.config.network import Model
from onsei.systems.recognition.config.train import Data, Optimizer, Train
from onsei.systems.recognition.config.verbs import Compare, Evaluate, Labels, Prepare, Transcribe

__all__ = [
    "Augment",
    "Benchmark",
    "Compare",
    "Data",
    "Evaluate",
    "Export",
    "Features",
    "Import",
    "Labels",
    "Model",
    "Optimizer",
    "Prepare",
    "Request",
    "Span",
    "Train",
    "Transcribe",
    "Transcript",
]
