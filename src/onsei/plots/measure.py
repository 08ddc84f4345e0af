"""A sound file → the panels that show it: read once, in blocks, however long it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onsei.audio import io
from onsei.audio.samples import Samples
from onsei.errors import AudioError, DataError
from onsei.plots import levels
from onsei.plots.envelope import EnvelopeMeter
from onsei.plots.levels import MelMeter, Meter, SpectrogramMeter
from onsei.plots.panels import LevelsPanel, Panel, Scale, SpectrumPanel, WaveformPanel, linear_limits, log_limits
from onsei.plots.tools import All

_COLUMNS = 4096
_HIGHEST_RATE = 768_000


@dataclass(frozen=True)
class Measured:
    """What is known of one sound when it has been read."""

    path: Path
    info: io.AudioInfo
    rate: int
    """Of the samples shown, Hz."""
    seconds: float
    """Length of the part shown."""
    panels: tuple[Panel, ...]
    samples: Samples | None
    """The part shown, (T,), where it was to be kept."""


def check(path: Path, kinds: Sequence[str], chosen: All) -> io.AudioInfo:
    """The header of ``path``, if all that is ``chosen`` can be drawn of it; else AudioError or DataError."""
    info, part = io.info(path), chosen.part
    if part.sample_rate is not None and part.sample_rate > _HIGHEST_RATE:
        raise DataError(f"sample_rate: {part.sample_rate} Hz is beyond {_HIGHEST_RATE}", "choose a lower rate")
    if part.channel is not None and part.channel >= info.channels:
        raise AudioError(
            f"{path}: channel {part.channel} asked for, the file has {info.channels}",
            f"choose a channel from 0 to {info.channels - 1}, or none for their mean",
        )
    if part.start >= info.duration:
        raise AudioError(
            f"{path}: --start {part.start:g} s is not before its end at {info.duration:.3f} s", "choose an earlier one"
        )
    _limits(kinds, info, chosen)
    _meters(kinds, _rate(info, chosen), chosen)
    return info


def seconds(info: io.AudioInfo, chosen: All) -> float:
    """How much of a sound will be shown."""
    rest = info.duration - chosen.part.start
    return rest if chosen.part.duration is None else min(rest, chosen.part.duration)


def measure(path: Path, info: io.AudioInfo, kinds: Sequence[str], chosen: All, *, keep: bool) -> Measured:
    """Read the chosen part of ``path`` and measure what ``kinds`` show; ``keep`` keeps its samples too."""
    part, rate = chosen.part, _rate(info, chosen)
    envelope, meters = EnvelopeMeter(), _meters(kinds, rate, chosen)
    kept: list[Samples] = []
    total, wanted = 0, chosen.size if "spectrum" in kinds else 0
    # A part that is to end after the sound's end ends with it.
    duration = seconds(info, chosen) if part.duration is not None else None
    for block in io.blocks(path, part.sample_rate, offset=part.start, duration=duration, channel=part.channel):
        if keep or total < wanted:
            kept.append(block if keep else block[: wanted - total])
        total += len(block)
        envelope.add(block)
        for meter in meters.values():
            meter.add(block)
        if total >= wanted and not keep and set(kinds) == {"spectrum"}:
            break
    samples = np.concatenate(kept) if kept else None
    limits = _limits(kinds, info, chosen)
    panels: list[Panel] = []
    for kind in kinds:
        if kind == "waveform":
            panels.append(WaveformPanel(envelope.envelope(), rate, part.start))
        elif kind == "spectrum" and samples is not None:
            found = levels.spectrum(samples, rate, size=chosen.size, window=chosen.window, db_range=chosen.db_range)
            panels.append(SpectrumPanel(found, *limits[kind], chosen.db_range))
        else:
            scale: Scale = "mel" if kind == "mel" else "log" if chosen.log_frequency else "linear"
            shown, length = meters[kind].levels(chosen.db_range), total / rate
            panels.append(LevelsPanel(shown, kind, scale, *limits[kind], part.start, length, chosen.db_range))
    return Measured(path, info, rate, total / rate, tuple(panels), samples if keep else None)


def _rate(info: io.AudioInfo, chosen: All) -> int:
    return chosen.part.sample_rate or info.sample_rate


def _meters(kinds: Sequence[str], rate: int, chosen: All) -> dict[str, Meter]:
    found: dict[str, Meter] = {}
    if "spectrogram" in kinds:
        found["spectrogram"] = SpectrogramMeter(rate, chosen.n_fft, chosen.hop_length, chosen.window, limit=_COLUMNS)
    if "mel" in kinds:
        found["mel"] = MelMeter(
            rate, chosen.n_fft, chosen.hop_length, chosen.window, n_mels=chosen.n_mels, f_min=chosen.fmin or 0.0,
            f_max=chosen.fmax, limit=_COLUMNS,
        )  # fmt: skip
    return found


def _limits(kinds: Sequence[str], info: io.AudioInfo, chosen: All) -> dict[str, tuple[float, float]]:
    """Ends of the frequency axes in Hz, by kind."""
    rate, low, high = _rate(info, chosen), chosen.fmin, chosen.fmax
    found: dict[str, tuple[float, float]] = {}
    for kind in kinds:
        if kind == "spectrum" or (kind == "spectrogram" and chosen.log_frequency):
            found[kind] = log_limits(rate, low, high)
        elif kind == "spectrogram":
            found[kind] = linear_limits(rate, low, high)
        elif kind == "mel":
            found[kind] = linear_limits(rate, low, min(levels.F_MAX, rate / 2) if high is None else high)
    return found
