"""What every audio function asks of an array of samples."""

from __future__ import annotations

from math import isfinite
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from onsei.errors import AudioError

Samples: TypeAlias = NDArray[np.float32]
"""Sound as float32, full scale ±1, time last: ``(T,)`` or ``(..., T)``."""


def as_samples(samples: ArrayLike, source: str = "samples") -> Samples:
    """Float32 view or copy of floating-point ``samples``, time last.

    Raises:
        AudioError: not floating point, no time axis, no samples, or NaN or infinite ones; begins with ``source``.
    """
    array: NDArray[Any] = np.asarray(samples)
    if not np.issubdtype(array.dtype, np.floating):
        raise AudioError(
            f"{source}: expected floating-point samples in ±1, found {array.dtype}",
            "divide integers by their full scale, e.g. int16 by 32768",
        )
    if array.ndim == 0 or array.size == 0:
        raise AudioError(f"{source}: no samples (shape {array.shape})", "give at least one sample")
    check_finite(array, source)
    return array.astype(np.float32, copy=False)


def check_finite(array: NDArray[Any], source: str, *, start: int = 0, sample_rate: int | None = None) -> None:
    """Raise AudioError, with the place of the first one, if ``array`` (..., T) has NaN or infinite samples.

    ``start`` is the index of the array's first sample in ``source``; with ``sample_rate`` the place is told in seconds.
    """
    # One pass without a mask in memory tells it for all but huge numbers, whose square is infinite.
    if array.dtype == np.float32 and array.flags.c_contiguous and isfinite(np.vdot(array, array)):
        return
    finite = np.isfinite(array)
    if finite.all():
        return
    bad = int(np.argwhere(~finite)[:, -1].min()) + start
    place = f"sample {bad}" if sample_rate is None else f"{bad / sample_rate:.3f} s"
    raise AudioError(
        f"{source}: {int((~finite).sum())} NaN or infinite samples, the first at {place}",
        "repair the recording or leave it out",
    )
