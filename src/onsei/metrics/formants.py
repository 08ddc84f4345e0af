"""Formants by linear prediction after Burg, their course through time, and how two courses differ.

T samples, F frames, N samples of a frame, P order of prediction, C candidates, S choices of three of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from onsei.audio.resample import resample
from onsei.errors import AudioError

Course = NDArray[np.float64]
"""Hz of F1, F2, F3 of each frame, (F, 3); NaN where there is none."""

KEPT = 3
USUAL = (500.0, 1500.0, 2500.0)
"""Hz, of a tube of 17 cm: what a course is drawn to where the spectrum says little."""
_EMPHASIS = 50.0
_EDGE = 50.0
_BLOCK = 2048
"""Frames looked at together: memory does not grow with the sound."""


def formants(
    samples: NDArray[np.float32],
    rate: int,
    *,
    hop: float = 0.01,
    window: float = 0.05,
    ceiling: float = 5000.0,
    count: int = 5,
    track: bool = True,
    quiet: float = 40.0,
) -> Course:
    """F1 to F3 of ``samples``, (T,), in frames of which frame i is centered on second ``i * hop``.

    As Praat's "To Formant (burg)": the sound is brought to twice ``ceiling``, its treble lifted from 50 Hz on, each
    frame weighted by a Gaussian and predicted by 2 · ``count`` coefficients after Burg; the angles of the roots are the
    candidates. Which of them are F1, F2 and F3 is then chosen for all frames together, so that their courses are smooth
    and narrow (Viterbi; Talkin, Speech formant trajectory estimation using dynamic programming, 1987).

    Args:
        rate: samples a second.
        hop: seconds from frame to frame.
        window: seconds of the whole Gaussian window, twice its effective length.
        ceiling: Hz below which there are ``count`` formants: 5000 for men, 5500 for women.
        count: of formants below the ceiling.
        track: choose smooth courses; else the three lowest candidates are taken frame by frame, as Praat does.
        quiet: frames this many dB fainter than the loudest have no formants.

    Raises:
        AudioError: a rate too low for the ceiling, or values that make no sense.
    """
    if not (hop > 0 and window > 0 and 200 < ceiling <= rate / 2 and count >= KEPT):
        raise AudioError(
            f"formants: expected a ceiling of 200 Hz to half the rate ({rate / 2:g} Hz) and {KEPT} formants or more; "
            f"found {ceiling:g} Hz, {count}",
            "mend the ceiling, or give sound of a higher rate",
        )
    frames = int(len(samples) / (rate * hop)) + 1
    if len(samples) < 2:
        return np.full((frames, KEPT), np.nan)
    sound = resample(samples, rate, 2 * ceiling).astype(np.float64)
    sound -= np.exp(-np.pi * _EMPHASIS / ceiling) * np.pad(sound, (1, 0))[:-1]
    size = max(4 * count, round(window * 2 * ceiling))
    padded = np.pad(sound, (size // 2, size))
    starts = np.round(np.arange(frames) * hop * 2 * ceiling).astype(np.int64)
    weights = _gaussian(size)
    found, power = np.full((frames, 2, count), np.nan), np.zeros(frames)
    for at in range(0, frames, _BLOCK):
        part = padded[starts[at : at + _BLOCK, None] + np.arange(size)] * weights
        power[at : at + _BLOCK] = (part**2).mean(axis=1)
        found[at : at + _BLOCK] = _candidates(burg(part, 2 * count), 2 * ceiling, count)
    loud = power > max(power.max() * 10 ** (-quiet / 10), 1e-14)
    found[~loud] = np.nan
    return _tracked(found[:, 0], found[:, 1]) if track else found[:, 0, :KEPT]


def _gaussian(size: int) -> NDArray[np.float64]:
    middle = (size - 1) / 2
    edge = np.exp(-12.0)
    weights: NDArray[np.float64] = (np.exp(-48.0 * ((np.arange(size) - middle) / (size + 1)) ** 2) - edge) / (1 - edge)
    return weights


def burg(frames: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """Coefficients a_1 … a_P, (F, P), that predict x[t] = Σ a_k x[t - k] in ``frames``, (F, N).

    Source: Burg 1975, by way of Andersen 1974. Frames of silence give zeros.
    """
    ahead, behind = frames[:, 1:], frames[:, :-1]
    found = np.zeros((len(frames), order))
    for k in range(order):
        energy = (ahead**2 + behind**2).sum(axis=1)
        crossed = 2 * (ahead * behind).sum(axis=1)
        reflection = np.divide(crossed, energy, out=np.zeros_like(energy), where=energy > 1e-30)[:, None]
        found[:, :k] -= reflection * found[:, :k][:, ::-1]
        found[:, k] = reflection[:, 0]
        ahead, behind = (ahead - reflection * behind)[:, 1:], (behind - reflection * ahead)[:, :-1]
    return found


def _candidates(coefficients: NDArray[np.float64], rate: float, count: int) -> NDArray[np.float64]:
    """Frequencies and bandwidths in Hz of the resonances, (F, 2, C), from low to high, NaN behind the last."""
    frames, order = coefficients.shape
    companion = np.zeros((frames, order, order))
    companion[:, 0] = coefficients
    companion[:, np.arange(1, order), np.arange(order - 1)] = 1
    roots = np.linalg.eigvals(companion)
    size = np.abs(roots)
    roots = np.where(size > 1, roots / np.maximum(size, 1e-9) ** 2, roots)  # as stable as a voice is
    hertz = np.angle(roots) * rate / (2 * np.pi)
    wide = -np.log(np.clip(np.abs(roots), 1e-9, 1 - 1e-9)) * rate / np.pi
    real = (hertz > _EDGE) & (hertz < rate / 2 - _EDGE)
    order_of = np.argsort(np.where(real, hertz, np.inf), axis=1)[:, :count]
    there = np.take_along_axis(real, order_of, axis=1)
    parts = [np.where(there, np.take_along_axis(x, order_of, axis=1), np.nan) for x in (hertz, wide)]
    return np.stack(parts, axis=1)


def _tracked(hertz: NDArray[np.float64], wide: NDArray[np.float64]) -> Course:
    """The smoothest narrow F1 < F2 < F3 through candidates (F, C): (F, 3).

    A choice costs its distance from the usual places (0.2 a kHz) and its bandwidths over frequencies; a step costs the
    octaves that are jumped. Where a frame has fewer than three candidates the course begins anew.
    """
    choices = np.array(list(combinations(range(hertz.shape[1]), KEPT)))
    places, widths = hertz[:, choices], wide[:, choices]  # (F, S, 3)
    local = (2e-4 * np.abs(places - np.array(USUAL)) + widths / places).sum(axis=-1)
    local = np.where(np.isnan(local), np.inf, local)
    octaves = np.log2(places)
    frames = len(hertz)
    usable = np.atleast_1d(np.isfinite(local).any(axis=1))
    cost, came = local[0], np.zeros((frames, len(choices)), np.int64)
    for t in range(1, frames):
        if not (usable[t] and usable[t - 1]):
            cost, came[t] = local[t], np.arange(len(choices))
            continue
        jump = np.abs(octaves[t][:, None] - octaves[t - 1][None]).sum(axis=-1)
        whole = np.where(np.isnan(jump), np.inf, jump) + cost
        came[t] = np.argmin(whole, axis=1)
        cost = local[t] + whole[np.arange(len(choices)), came[t]]
        local[t] = cost
    course = np.full((frames, KEPT), np.nan)
    best = -1
    for t in range(frames - 1, -1, -1):
        if not usable[t]:
            best = -1
            continue
        best = int(np.argmin(local[t])) if best < 0 else best
        course[t] = places[t, best]
        best = int(came[t, best]) if t and usable[t - 1] else -1
    return course


@dataclass(frozen=True)
class FormantErrors:
    """How courses of formants differ from their references, as counts by whole Hz. Those of many clips are added."""

    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros((KEPT, 5001), np.int64))
    """Frames by formant and difference in Hz, the last place for all that is more: (3, 5001)."""

    def __add__(self, other: FormantErrors) -> FormantErrors:
        return FormantErrors(self.counts + other.counts)

    @property
    def frames(self) -> int:
        """That were compared."""
        return int(self.counts[0].sum())

    @property
    def medians(self) -> tuple[float, float, float]:
        """Medians of the absolute differences of F1, F2, F3 in Hz; NaN without frames."""
        return tuple(_median(row) for row in self.counts)  # type: ignore[return-value]


def _median(counts: NDArray[np.int64]) -> float:
    total = counts.sum()
    if not total:
        return float("nan")
    above = np.cumsum(counts)
    low, high = np.searchsorted(above, (total - 1) // 2, "right"), np.searchsorted(above, total // 2, "right")
    return float(low + high) / 2


def formant_errors(
    reference: Course, found: Course, voiced: Sequence[bool] | NDArray[np.bool_] | None = None
) -> FormantErrors:
    """Compare two courses (F, 3) where both have formants; the longer one is cut.

    Args:
        voiced: (F,), frames that count; best those in which the reference has a pitch: where a sound is noise its
            formants mean little.
    """
    frames = min(len(reference), len(found))
    apart = np.abs(reference[:frames] - found[:frames])
    use = np.isfinite(apart).all(axis=1)
    if voiced is not None:
        flags = np.asarray(voiced, bool)[:frames]
        use &= np.pad(flags, (0, frames - len(flags)))
    last = FormantErrors().counts.shape[1] - 1
    places = np.minimum(np.round(apart[use]), last).astype(np.int64)
    return FormantErrors(np.stack([np.bincount(places[:, k], minlength=last + 1) for k in range(KEPT)]))
