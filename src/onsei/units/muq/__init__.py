"""MuQ, a self-supervised encoder of music (Zhu et al. 2025), by Hub name or folder."""

from onsei.units.muq.loading import NAME, load
from onsei.units.muq.network import MuQ, Shape

__all__ = ["NAME", "MuQ", "Shape", "load"]
