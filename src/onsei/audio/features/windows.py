"""Analysis windows by name, periodic or symmetric."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor

from onsei.errors import AudioError

WindowName = Literal["hann", "hamming", "blackman", "bartlett"]

WINDOWS: Mapping[str, Callable[..., Tensor]] = {
    "hann": torch.hann_window,
    "hamming": torch.hamming_window,
    "blackman": torch.blackman_window,
    "bartlett": torch.bartlett_window,
}


def window(
    name: str,
    length: int,
    *,
    symmetric: bool = False,
    padded: int | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """The window ``name`` of ``length`` samples, zero-padded evenly on both sides to ``padded``.

    A periodic window (the default, and librosa's for a name) is a symmetric one of ``length + 1`` without its last
    sample.

    Raises:
        AudioError: unknown name.
    """
    if name not in WINDOWS:
        raise AudioError(f"window: expected one of {', '.join(WINDOWS)}; found {name!r}", "choose one of these")
    values = WINDOWS[name](length, periodic=not symmetric, dtype=torch.float64).to(dtype)
    if padded is None:
        return values
    left = (padded - length) // 2
    return torch.nn.functional.pad(values, (left, padded - length - left))
