"""Classification's data: what the network hears, batches, the look at a corpus before training."""

from onsei.systems.classification.data.augmentation import Changes
from onsei.systems.classification.data.batches import Batch, Item, Preparation, cache_for, collate, memory_for, source
from onsei.systems.classification.data.front import FrontEnd, pieces
from onsei.systems.classification.data.survey import check_validation, classes_of, counted, told

__all__ = [
    "Batch",
    "Changes",
    "FrontEnd",
    "Item",
    "Preparation",
    "cache_for",
    "check_validation",
    "classes_of",
    "collate",
    "counted",
    "memory_for",
    "pieces",
    "source",
    "told",
]
