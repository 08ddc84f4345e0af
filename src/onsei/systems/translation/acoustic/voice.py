"""The verb `speak`: units back to sound, by the mean mel of each unit and a vocoder.

K units, M mel bands, F frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from onsei.audio import io
from onsei.data.manifest import Manifest, refuse_existing
from onsei.data.progress import tracked
from onsei.errors import DataError, ModelError, OnseiError
from onsei.systems.translation.acoustic.listener import WINDOW_SECONDS, Listener
from onsei.systems.translation.config.speak import Speak
from onsei.systems.translation.data.gather import gathered
from onsei.units.spectral import HOP, RATE
from onsei.vocoder.definition import MelDefinition
from onsei.vocoder.mel import LogMel, prepared, restored
from onsei.vocoder.refinement import Refiner

MEL = MelDefinition(sample_rate=RATE, n_fft=1024, hop_length=HOP, win_length=1024, f_max=None)
"""One frame a unit."""
Sound = NDArray[np.float32]


@dataclass(frozen=True)
class UnitVoice:
    """The sound of each unit, as the mean of the frames that it was heard in."""

    table: NDArray[np.float32]
    """Log-mels, (K, M)."""
    definition: MelDefinition

    def mel(self, units: NDArray[np.int64]) -> NDArray[np.float32]:
        """Log-mel (M, F) of units (F,): neighbors are blended over three frames."""
        frames = self.table[units]
        padded = np.pad(frames, ((1, 1), (0, 0)), mode="edge")
        blended = (padded[:-2] + 2 * frames + padded[2:]) / 4
        return np.ascontiguousarray(blended.T, dtype=np.float32)


def speak(options: Speak) -> None:
    """Write the sound of the units of recordings.

    Raises:
        ModelError: a vocoder whose frames are no units.
        DataError: nothing can be learned from; sounds are there already.
    """
    targets = [options.output_dir / f"{path.stem}.units.wav" for path in options.audio]
    refuse_existing(targets, options.force)
    listener = Listener.load(options.model, "cpu")
    vocoder = _vocoder(options.vocoder)
    definition: MelDefinition = MEL if vocoder is None else vocoder.mel
    options.output_dir.mkdir(parents=True, exist_ok=True)
    manifest = Manifest.open(gathered(options.train_manifest, options.output_dir / "recordings.jsonl"))
    voice = learned(listener, manifest, definition, options.seconds)
    refiner = Refiner(definition, options.iterations)
    for path, target in zip(options.audio, targets, strict=True):
        units, seconds = listener.units(path)
        mel = voice.mel(units)
        if vocoder is None:
            sound = restored(refiner(torch.from_numpy(mel)[None])[0], definition).clamp(-1, 1).numpy()
        else:
            sound = vocoder.speak(mel, round(seconds * RATE))
        io.save(target, sound, RATE)
        print(f"{path} → {target}: {len(units)} frames of {listener.count} units")


def learned(listener: Listener, manifest: Manifest, definition: MelDefinition, seconds: float) -> UnitVoice:
    """The mean log-mel of each unit over up to ``seconds`` of ``manifest``; units that do not occur are as silence.

    Raises:
        DataError: no row can be used.
    """
    analysis = LogMel(definition)
    sums = np.zeros((listener.count, definition.n_mels))
    counts = np.zeros(listener.count)
    heard, lowest = 0.0, np.inf
    order = np.random.default_rng(0).permutation(len(manifest)).tolist()
    for number in tracked("the sound of units", order):
        if heard >= seconds:
            break
        try:
            row = manifest[number]
            if row.audio is None:
                continue
            offset, span = row.segment
            span = min(span or io.info(row.audio).duration - offset, WINDOW_SECONDS)
            samples, _ = io.load(row.audio, RATE, offset=offset, duration=span, channel=row.channel)
            mel = analysis(prepared(torch.from_numpy(samples)[None], definition))[0].numpy()
        except OnseiError:
            continue
        units = listener.batch([samples])[0]
        frames = min(len(units), mel.shape[1])
        np.add.at(sums, units[:frames], mel[:, :frames].T)
        np.add.at(counts, units[:frames], 1)
        heard, lowest = heard + len(samples) / RATE, min(lowest, float(mel.min()))
    if not counts.any():
        raise DataError(f"{manifest.path}: no recording can be learned from", "check it with `onsei data check`")
    table = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], lowest)
    return UnitVoice(table.astype(np.float32), definition)


def _vocoder(name: str) -> Any:
    """A trained vocoder, or None."""
    if not name:
        return None
    import onsei

    opened = onsei.load(name, device="cpu")
    mel = getattr(opened, "mel", None)
    if not isinstance(mel, MelDefinition) or not hasattr(opened, "speak"):
        raise ModelError(f"{name}: no vocoder", "name the model folder of `onsei vocoder train`")
    if (mel.sample_rate, mel.hop_length) != (RATE, HOP):
        raise ModelError(
            f"{name}: a hop of {mel.hop_length} samples at {mel.sample_rate} Hz; a unit lasts {HOP} at {RATE}",
            f"train one with --mel.sample-rate {RATE} --mel.hop-length {HOP}",
        )
    return opened
