"""How far picture and sound are out of step: changes of pictures against changes of the mel.

T frames, H height, W width, M mel bands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_RANGE = 60.0
"""dB below the loudest under which a mel tells nothing."""
_MOST = 0.5
"""Seconds that are looked at, to both sides."""
_SIDE = 80
"""Pixels that pictures are thinned out to."""
_NEAR = 2
"""Frames around the best lag that are not compared with it."""
_CLEAR = 0.1
"""By how much the best correlation must pass all others to be believed."""


@dataclass(frozen=True)
class Lag:
    """What was seen."""

    seconds: float
    """How much later the sound comes than the picture; negative: earlier."""
    clear: bool
    """Whether it can be believed: one lag stands out."""
    correlation: float
    """Of the changes at that lag."""


def lag(frames: NDArray[np.uint8], mel: NDArray[np.float32], rate: float) -> Lag:
    """Estimate the lag by the correlation of changes from frame to frame.

    Args:
        frames: pictures (T, H, W).
        mel: log-mel (M, T) in dB, one column for each picture, which stands in the middle of it.
        rate: frames a second.
    """
    seen, heard = _seen(frames), _heard(mel)
    most = min(round(_MOST * rate), len(seen) // 3)
    if most < 2 or seen.std() < 1e-9 or heard.std() < 1e-9:
        return Lag(0.0, False, 0.0)
    seen, heard = _standard(seen), _standard(heard)
    lags = np.arange(-most, most + 1)
    found = np.array([_correlation(seen, heard, int(shift)) for shift in lags])
    best = int(found.argmax())
    others = np.delete(found, slice(max(0, best - _NEAR), best + _NEAR + 1))
    clear = bool(len(others) and found[best] - others.max() >= _CLEAR and 0 < best < len(found) - 1)
    return Lag((lags[best] + _between(found, best)) / rate, clear, float(found[best]))


def _seen(frames: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Logarithm of how much each picture differs from the one before, (T - 1,)."""
    step = max(1, min(frames.shape[1:]) // _SIDE)
    small = frames[:, ::step, ::step].astype(np.float32) / 255
    change: NDArray[np.float64] = np.log(np.abs(np.diff(small, axis=0)).mean((1, 2)) + 1e-3).astype(np.float64)
    return change


def _heard(mel: NDArray[np.float32]) -> NDArray[np.float64]:
    """How much each column differs from the one before, (T - 1,)."""
    loud = np.maximum(mel, mel.max() - _RANGE)
    change = np.abs(np.diff(loud, axis=1)).mean(0).astype(np.float64)
    # Where sound sets in or ends the mel changes most, and the picture need not.
    capped: NDArray[np.float64] = np.minimum(change, np.percentile(change, 90))
    return capped


def _standard(course: NDArray[np.float64]) -> NDArray[np.float64]:
    standard: NDArray[np.float64] = (course - course.mean()) / course.std()
    return standard


def _correlation(seen: NDArray[np.float64], heard: NDArray[np.float64], shift: int) -> float:
    count = len(seen)
    a = seen[max(0, -shift) : count - max(0, shift)]
    b = heard[max(0, shift) : count - max(0, -shift)]
    return float((a * b).mean())


def _between(curve: NDArray[np.float64], best: int) -> float:
    """Where between the points a parabola through the three around ``best`` has its top, -0.5..0.5."""
    if not 0 < best < len(curve) - 1:
        return 0.0
    before, here, after = curve[best - 1 : best + 2]
    bend = before - 2 * here + after
    return float(np.clip((before - after) / (2 * bend), -0.5, 0.5)) if bend < -1e-12 else 0.0
