"""What a copy of a recording loses: mel L1, spectra, intelligibility, pitch, quality.

M mel bands, F frames, T samples.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from onsei.metrics.pitch import PitchErrors, pitch, pitch_errors
from onsei.metrics.speech import multi_resolution_stft, pesq, stoi
from onsei.systems.vocoder.inference import Vocoder
from onsei.vocoder.mel import LogMel, MelDefinition, aligned, emphasized, prepared, restored, to_natural

Sound = NDArray[np.float32]


@dataclass
class Scores:
    """Sums over recordings; ``numbers`` makes means of them."""

    mel: MelDefinition
    with_pesq: bool = False
    clips: int = 0
    seconds: float = 0.0
    computing: float = 0.0
    pitch: PitchErrors = field(default_factory=PitchErrors)
    sums: dict[str, list[float]] = field(default_factory=dict)

    def add(self, voice: Vocoder, sound: Sound, mel: NDArray[np.float32] | None = None) -> Sound:
        """Copy ``sound`` (T,) by way of its mel, or speak ``mel`` in its place, and measure; returns the copy."""
        given = voice.analyze(sound) if mel is None else mel
        began = time.perf_counter()
        made = voice.speak(given)
        self.computing += time.perf_counter() - began
        reference = restored(aligned(prepared(torch.from_numpy(sound), self.mel), self.mel), self.mel).numpy()
        length = min(len(reference), len(made))
        reference, made = reference[:length], made[:length]
        self.clips += 1
        self.seconds += length / self.mel.sample_rate
        self._note("mel_l1", mel_l1(reference, made, self.mel))
        self._note("mel_l1_full_band", mel_l1(reference, made, self.mel.full_band()))
        spectral = multi_resolution_stft(reference, made)
        self._note("stft_convergence", spectral.convergence)
        self._note("stft_log_magnitude", spectral.log_magnitude)
        rate = self.mel.sample_rate
        self._note("stoi", stoi(reference, made, rate))
        if self.with_pesq:
            self._note("pesq", pesq(reference, made, rate))
        self.pitch += pitch_errors(pitch(reference, rate), pitch(made, rate))
        return made

    def numbers(self) -> Mapping[str, float]:
        """Means over recordings; those that a recording lacks (NaN) are left out of them."""
        means = {
            name: float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
            for name, values in self.sums.items()
        }
        return {
            **means,
            "f0_rmse": self.pitch.rmse,
            "f0_correlation": self.pitch.correlation,
            "voicing_error": self.pitch.voicing_error,
            "clips": float(self.clips),
            "audio_seconds": round(self.seconds, 3),
            "real_time_factor": self.computing / self.seconds if self.seconds else float("nan"),
        }

    def _note(self, name: str, value: float) -> None:
        self.sums.setdefault(name, []).append(value)


def mel_l1(reference: Sound, made: Sound, definition: MelDefinition) -> float:
    """Mean absolute difference of log-mels in nepers, of sounds (T,) as they are heard."""
    analysis = LogMel(definition)
    mels = []
    for sound in (reference, made):
        ready = emphasized(torch.from_numpy(np.ascontiguousarray(sound)), definition.preemphasis)
        if len(ready) < definition.shortest:
            ready = torch.nn.functional.pad(ready, (0, definition.shortest - len(ready)))
        mels.append(to_natural(analysis(ready[None])[0], definition))
    return float((mels[0] - mels[1]).abs().mean())
