"""The verbs that train, one a stage."""

from onsei.systems.translation.acoustic.training import fit_units
from onsei.systems.translation.pretrain.training import pretrain

__all__ = ["fit_units", "pretrain"]
