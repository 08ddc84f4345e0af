"""Whether mels fit their sounds and the model's definition; looked at before training, and by the verb `check`.

M mel bands, F frames.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from onsei.audio import io
from onsei.audio.resample import resampled_length
from onsei.data.manifest import Manifest
from onsei.data.progress import counted
from onsei.data.row import Row
from onsei.errors import DataError, OnseiError
from onsei.systems.vocoder.data.mels import load_mel, shape_of
from onsei.systems.vocoder.data.segments import EXTRA, read_sound
from onsei.vocoder.mel import LogMel, MelDefinition, prepared, to_natural

COMPARED = 8
"""Mels that are compared with those of their sounds before training."""
_SHOWN = 5
_ALIKE = 0.7
"""Correlation below which a mel is not of its sound; predicted mels reach 0.9 and more."""
_LEVEL = 0.1
"""Difference of level, in the definition's unit, that is not worth a word."""
_UNITS = {
    "natural logarithms of amplitudes": 1.0,
    "natural logarithms of power": 2.0,
    "log10 of amplitudes": 1 / np.log(10),
    "log10 of power": 2 / np.log(10),
    "decibels": 20 / np.log(10),
}
"""What a mel is in units of natural logarithms of amplitudes."""


@dataclass
class Lengths:
    """Frames of mels beyond those of their sounds."""

    differences: Counter[int] = field(default_factory=Counter)
    examples: dict[int, str] = field(default_factory=dict)

    def add(self, name: str, frames: int, fits: int) -> None:
        """Count a mel of ``frames`` frames where ``fits`` are expected."""
        self.differences[frames - fits] += 1
        self.examples.setdefault(frames - fits, f"{name}: {frames} frames, its sound has {fits}")

    def told(self, tolerance: int) -> list[str]:
        """What lies beyond the tolerance, a line for each difference, the most frequent first."""
        beyond = [(d, n) for d, n in self.differences.most_common() if abs(d) > tolerance]
        lines = [
            f"{n} of {self.differences.total()} mels: {d:+d} frames ({self.examples[d]})" for d, n in beyond[:_SHOWN]
        ]
        return lines + ([f"… and {len(beyond) - _SHOWN} other differences"] if len(beyond) > _SHOWN else [])

    def mend(self, tolerance: int) -> str:
        """What to do about it."""
        largest = max((abs(d) for d in self.differences), default=0)
        if largest == 1:
            return (
                "one frame more is what a centered mel has, whose frames stand half a hop earlier: see --mel.padding "
                "and `onsei vocoder check`; if the definition is right, --tolerance 1 cuts both to the shorter one"
            )
        return "make the mels of these very sounds, at the rate of the definition; `onsei vocoder check` compares them"


def survey(manifest: Manifest, definition: MelDefinition, tolerance: int, *, compare: bool = True) -> None:
    """Compare every mel with the length of its sound, by headers, and with ``compare`` a few with its mel.

    Raises:
        DataError: lengths or definitions that do not fit.
    """
    lengths, faults = Lengths(), []
    chosen = set(np.linspace(0, len(manifest) - 1, min(COMPARED, len(manifest))).astype(int).tolist())
    notes: list[str] = []
    for number, row in enumerate(counted(f"comparing mels and sounds of {manifest.path.name}", manifest)):
        for reference in _mels(row):
            try:
                lengths.add(
                    os.path.normpath(reference),
                    shape_of(reference, definition).frames,
                    expected_frames(row, definition),
                )
            except OnseiError as error:
                faults.append(error.message)
        if compare and number in chosen and not faults and row.features is not None:
            notes += [f"{os.path.normpath(row.features)}: {note}" for note in misfits(row, definition)]
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise DataError(f"{manifest.path}: {faults[0]}{more}", "mend these mels and sounds, or leave them out")
    told = lengths.told(tolerance)
    if told:
        raise DataError(
            f"{manifest.path}: mels and sounds differ in length\n  " + "\n  ".join(told), lengths.mend(tolerance)
        )
    if len(notes) * 2 > len(chosen):
        shown = "\n  ".join(notes[:_SHOWN])
        raise DataError(f"{manifest.path}: mels of another definition\n  {shown}", "`onsei vocoder check` says more")


def expected_frames(row: Row, definition: MelDefinition) -> int:
    """Frames that the sound of ``row`` has by its header."""
    if row.audio is None:
        raise DataError(f"{row.id}: the row has no audio", "give it the key `audio`")
    info = io.info(row.audio)
    offset, span = row.segment
    stop = info.frames if span is None else min(info.frames, round((offset + span) * info.sample_rate))
    samples = stop - round(offset * info.sample_rate)
    return definition.frames(resampled_length(samples, info.sample_rate, definition.sample_rate))


def misfits(row: Row, definition: MelDefinition) -> list[str]:
    """What of the definition the mel of ``row`` does not follow, by comparison with its sound; empty where it fits."""
    assert row.features is not None
    mel = load_mel(row.features, definition)
    sound = torch.from_numpy(read_sound(row, definition.sample_rate))
    return compared(mel, sound, definition)


@dataclass(frozen=True)
class Fit:
    """A mel as a straight line of another, in natural logarithms."""

    slope: float
    offset: float
    correlation: float


def compared(mel: NDArray[np.float32], sound: torch.Tensor, definition: MelDefinition) -> list[str]:
    """How ``mel`` (M, F) differs from the mel of ``sound`` (T,) by the definition, a sentence each."""
    own = _fit(mel, sound, definition)
    best, name = own, ""
    for one, changed in _variants(definition):
        other = _fit(mel, sound, changed)
        if 1 - other.correlation**2 < 0.6 * (1 - best.correlation**2) and other.correlation > _ALIKE:
            best, name = other, one
    if best.correlation < _ALIKE:
        return [
            f"does not follow its sound (correlation {best.correlation:.2f}): it is of another recording, or of other "
            "bands, sizes or another hop"
        ]
    found = [f"looks made with {name}: give the model that definition, or make the mels anew"] if name else []
    unit = definition_unit(definition)
    seen = min(_UNITS, key=lambda kind: abs(np.log(max(best.slope, 1e-6) / _UNITS[kind])))
    ratio = unit / _UNITS[seen]
    if abs(np.log(max(best.slope, 1e-6) / unit)) > 0.3:
        if abs(np.log(best.slope / _UNITS[seen])) < 0.1:
            shift = best.offset * ratio
            level = f" - ({shift:.2f})" if abs(shift) > _LEVEL else ""
            found.append(f"holds {seen}: convert by mel * {ratio:.5f}{level}, floored as the definition says")
        else:
            found.append(f"is scaled by {best.slope / unit:.2f}, shifted by {best.offset:.2f}: normalized? undo that")
    elif not name and abs(best.offset) / unit > 0.5:
        decibels = best.offset / unit * 20 / np.log(10)
        found.append(
            f"is {abs(decibels):.1f} dB {'louder' if decibels > 0 else 'fainter'} than its sound: made without, or "
            "with another, peak normalization (mel.peak), or of other sound"
        )
    return found


def definition_unit(definition: MelDefinition) -> float:
    """What a unit of natural logarithms is in the definition's own."""
    return 1 / float(to_natural(torch.ones(()), definition))


def _variants(definition: MelDefinition) -> Iterator[tuple[str, MelDefinition]]:
    """Definitions that are often taken for this one."""
    paddings: tuple[Literal["hop", "center", "none"], ...] = ("hop", "center", "none")
    for padding in paddings:
        if padding != definition.padding:
            yield f"padding {padding}", replace(definition, padding=padding)
    for factor in (0.0, 0.97):
        if factor != definition.preemphasis:
            yield f"preemphasis {factor:g}", replace(definition, preemphasis=factor)
    if definition.f_max is not None and definition.f_max < definition.sample_rate / 2:
        yield "f_max null (half the sample rate)", replace(definition, f_max=None)
    other: Literal["htk", "slaney"] = "htk" if definition.scale == "slaney" else "slaney"
    yield f"scale {other}", replace(definition, scale=other)


def _fit(mel: NDArray[np.float32], sound: torch.Tensor, definition: MelDefinition) -> Fit:
    natural = replace(definition, log="natural")
    ready = prepared(sound, natural)
    if len(ready) < natural.shortest:
        return Fit(1.0, 0.0, 0.0)
    own = LogMel(natural)(ready[None])[0].numpy()
    frames = min(own.shape[1], mel.shape[1])
    x, y = own[:, :frames].astype(np.float64), mel[:, :frames].astype(np.float64)
    loud = x > max(np.log(natural.floor) + 1, x.max() - 9)  # what lies near the floor tells nothing of scales
    if loud.sum() < 16 or x[loud].std() < 1e-3 or y[loud].std() < 1e-6:
        return Fit(1.0, 0.0, 1.0 if not loud.any() else 0.0)
    slope, offset = np.polyfit(x[loud], y[loud], 1)
    return Fit(float(slope), float(offset), float(np.corrcoef(x[loud], y[loud])[0, 1]))


def _mels(row: Row) -> Sequence[str | Path]:
    return [mel for mel in (row.features, row.extra.get(EXTRA)) if isinstance(mel, str)]
