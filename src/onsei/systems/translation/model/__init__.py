"""The networks of all stages: they live with their stages, and are named here."""

from onsei.systems.translation.acoustic.model import UnitModel
from onsei.units.pretraining import ContrastiveModel, MaskedUnits

__all__ = ["ContrastiveModel", "MaskedUnits", "UnitModel"]
