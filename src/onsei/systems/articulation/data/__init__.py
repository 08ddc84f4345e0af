"""Articulation's data: prepared clips, batches, the example."""

from onsei.systems.articulation.data.batches import Batch, Item, Preparation, collate, source
from onsei.systems.articulation.data.prepared import Prepared, Scaler, read_prepared, read_scaler

__all__ = ["Batch", "Item", "Preparation", "Prepared", "Scaler", "collate", "read_prepared", "read_scaler", "source"]
