"""Prepared clips on disk: arrays of each, manifests, definition and scaler beside them.

T frames, H height, W width, M mel bands, F mel frames, S samples.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from onsei.audio import io
from onsei.config import to_dict
from onsei.data.row import Row
from onsei.paths import write_text, written_aside
from onsei.systems.articulation.data.prepared import META, SCALER, Prepared, Scaler
from onsei.vocoder.definition import MelDefinition
from onsei.vocoder.mel import LogMel, prepared

SAMPLES, WAVS = "samples", "wavs"
Format = Literal["float16", "float32", "uint8"]


@dataclass(frozen=True)
class Clip:
    """A film and its sound, ready to be stored."""

    id: str
    frames: NDArray[np.uint8]
    """Normalized pictures in steps of 1/255, (T, H, W)."""
    sound: NDArray[np.float32]
    """(S,), S = T · samples of a frame, at the mel's rate."""
    mel: NDArray[np.float32]
    """Log-mel in dB, (M, F)."""
    mask: NDArray[np.uint8] | None = None
    """1 where pictures are seen, (T, H, W); None: everywhere."""
    speaker: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further keys of its row."""


@dataclass
class Moments:
    """Sums from which mean and deviation of mels follow, clip by clip."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, mel: NDArray[np.float32]) -> None:
        """Count a mel."""
        self.count += mel.size
        self.total += float(mel.sum(dtype=np.float64))
        self.squares += float(np.square(mel, dtype=np.float64).sum())

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.count + other.count, self.total + other.total, self.squares + other.squares)

    def scaler(self, name: str = "") -> Scaler:
        """Mean and deviation, the latter not below a thousandth of a dB."""
        mean = self.total / max(1, self.count)
        variance = max(0.0, self.squares / max(1, self.count) - mean * mean)
        return Scaler(mean, max(variance**0.5, 1e-3), name)


class Analysis:
    """Sounds to log-mels by one definition.

    Args:
        definition: what a mel is.
    """

    def __init__(self, definition: MelDefinition) -> None:
        self.definition = definition
        self._mel = LogMel(definition)

    def __call__(self, sound: NDArray[np.float32]) -> NDArray[np.float32]:
        """``sound`` (S,) → (M, F)."""
        ready = prepared(torch.from_numpy(np.ascontiguousarray(sound, np.float32)), self.definition)
        mel: NDArray[np.float32] = self._mel(ready[None])[0].numpy()
        return mel


def write_clip(folder: Path, clip: Clip, definition: Prepared, format: Format = "float16") -> Row:
    """Write `samples/ID/{mri,mel_db,mask}.npy` and `wavs/ID.wav`; returns the clip's row."""
    place = folder / SAMPLES / clip.id
    mask = np.ones(clip.frames.shape, np.uint8) if clip.mask is None else clip.mask
    for name, array in (("mri", as_stored(clip.frames, format)), ("mel_db", clip.mel), ("mask", mask)):
        with written_aside(place / f"{name}.npy") as aside, aside.open("wb") as file:
            np.save(file, array)
    wav = folder / WAVS / f"{clip.id}.wav"
    io.save(wav, clip.sound.clip(-1, 1), definition.mel.sample_rate, coding="PCM_16")
    return Row(
        id=clip.id,
        audio=wav,
        duration=round(len(clip.sound) / definition.mel.sample_rate, 6),
        video=place / "mri.npy",
        features=str(place / "mel_db.npy"),
        speaker=clip.speaker,
        extra=dict(clip.extra),
    )


def as_stored(frames: NDArray[np.uint8], format: Format) -> NDArray[Any]:
    """Pictures in 0..1, or as bytes."""
    if format == "uint8":
        return frames
    return (frames.astype(np.float32) / np.float32(255)).astype(format)


def write_meta(folder: Path, definition: Prepared, scaler: Scaler, facts: Mapping[str, Any] | None = None) -> None:
    """Write `meta.json` and `scaler.json`; ``facts`` are told in the first beside the definition."""
    meta = {**to_dict(definition), **(facts or {})}
    write_text(folder / META, json.dumps(meta, indent=1, ensure_ascii=False) + "\n")
    known = {"mean": scaler.mean, "std": scaler.std, "prepared": definition.prepared}
    write_text(folder / SCALER, json.dumps(known, indent=1) + "\n")
