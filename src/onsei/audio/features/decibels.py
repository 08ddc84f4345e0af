"""Magnitude and power in decibels."""

from __future__ import annotations

import torch
from torch import Tensor

from onsei.errors import AudioError


def power_to_db(power: Tensor, ref: float | Tensor = 1.0, amin: float = 1e-10, top_db: float | None = 80.0) -> Tensor:
    """10 log10(power / ref); equals ``librosa.power_to_db`` of each clip.

    Args:
        power: (..., bins, frames) or (frames,), not below 0.
        ref: what is 0 dB; a tensor broadcasts.
        amin: the least power and reference that is told apart from 0.
        top_db: nothing is left further than this below the clip's loudest value; None leaves all.

    Raises:
        AudioError: ``amin`` or ``top_db`` out of range.
    """
    if not amin > 0 or (top_db is not None and top_db < 0):
        raise AudioError(f"expected amin > 0 and top_db >= 0; found {amin} and {top_db}", "mend these")
    reference = torch.as_tensor(ref, dtype=power.dtype, device=power.device).abs().clamp(min=amin)
    decibels = 10 * (power.clamp(min=amin).log10() - reference.log10())
    if top_db is None:
        return decibels
    loudest = decibels.amax(tuple(range(-min(2, decibels.dim()), 0)), keepdim=True)
    return torch.maximum(decibels, loudest - top_db)


def amplitude_to_db(
    magnitude: Tensor, ref: float | Tensor = 1.0, amin: float = 1e-5, top_db: float | None = 80.0
) -> Tensor:
    """20 log10(magnitude / ref); equals ``librosa.amplitude_to_db`` of each clip. Arguments as for ``power_to_db``."""
    squared = torch.as_tensor(ref, dtype=magnitude.dtype, device=magnitude.device).square()
    return power_to_db(magnitude.square(), squared, amin**2, top_db)
