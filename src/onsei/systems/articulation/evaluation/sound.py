"""How far a spoken film is from its own sound: spectra, formants, pitch, intelligibility.

S samples.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from onsei.metrics.formants import FormantErrors, formant_errors, formants
from onsei.metrics.mcd import Distortion, mel_cepstral_distortion
from onsei.metrics.pitch import PitchErrors, pitch, pitch_errors
from onsei.metrics.speech import pesq, stoi

Sound = NDArray[np.float32]


@dataclass
class SoundScores:
    """Sums over clips; ``numbers`` makes means and medians of them.

    Args:
        rate: samples a second, of the clips' own definition: nothing is measured above half of it.
        with_pesq: measure PESQ too.
        ceiling: Hz below which there are five formants.
    """

    rate: int
    with_pesq: bool = False
    ceiling: float = 5000.0
    distortion: Distortion = field(default_factory=Distortion)
    formants: FormantErrors = field(default_factory=FormantErrors)
    pitch: PitchErrors = field(default_factory=PitchErrors)
    means: dict[str, list[float]] = field(default_factory=dict)

    def add(self, reference: Sound, found: Sound) -> None:
        """Compare two sounds (S,)."""
        length = min(len(reference), len(found))
        reference, found = reference[:length], found[:length]
        self.distortion += mel_cepstral_distortion(reference, found, self.rate)
        courses = [pitch(sound, self.rate) for sound in (reference, found)]
        self.pitch += pitch_errors(courses[0], courses[1])
        tracks = [formants(sound, self.rate, ceiling=min(self.ceiling, self.rate / 2)) for sound in (reference, found)]
        self.formants += formant_errors(tracks[0], tracks[1], ~np.isnan(courses[0]))
        self.means.setdefault("stoi", []).append(stoi(reference, found, self.rate))
        if self.with_pesq:
            self.means.setdefault("pesq", []).append(pesq(reference, found, self.rate))

    def __iadd__(self, other: SoundScores) -> Self:
        """Take in what ``other`` measured of further clips."""
        self.distortion += other.distortion
        self.formants += other.formants
        self.pitch += other.pitch
        for name, values in other.means.items():
            self.means.setdefault(name, []).extend(values)
        return self

    def numbers(self) -> dict[str, float]:
        """By name: dB, Hz, percent, and STOI from 0 to 1."""
        medians = dict(zip(("f1_error", "f2_error", "f3_error"), self.formants.medians, strict=True))
        return {
            "mcd": self.distortion.mean,
            **medians,
            "f0_rmse": self.pitch.rmse,
            "f0_correlation": self.pitch.correlation,
            "voicing_error": self.pitch.voicing_error,
            **{name: _mean(values) for name, values in self.means.items()},
        }


def _mean(values: list[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")
