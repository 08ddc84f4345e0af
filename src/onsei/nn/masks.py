"""Masks of padded batches.

B batch, T frames.
"""

from __future__ import annotations

import torch
from torch import Tensor


def length_mask(lengths: Tensor, size: int, device: torch.device | None = None) -> Tensor:
    """True where a frame is sound, False where it is padding.

    Args:
        lengths: frames of each item, shape (B,).
        size: frames of the padded batch, T.
        device: where the mask is wanted; the lengths' device by default.

    Returns:
        bool, shape (B, T).
    """
    steps = torch.arange(size, device=device or lengths.device)
    return steps < lengths.to(steps.device)[:, None]
