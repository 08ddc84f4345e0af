"""Recognition's data: what the network sees, batches, the look at a corpus before training, preparation."""

from onsei.systems.recognition.data.augmentation import Changes
from onsei.systems.recognition.data.batches import Batch, Item, Preparation, cache_for, collate, source
from onsei.systems.recognition.data.front import FrontEnd, network_bins
from onsei.systems.recognition.data.survey import Survey, accept, survey, told

__all__ = [
    "Batch",
    "Changes",
    "FrontEnd",
    "Item",
    "Preparation",
    "Survey",
    "accept",
    "cache_for",
    "collate",
    "network_bins",
    "source",
    "survey",
    "told",
]
