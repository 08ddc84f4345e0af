"""The verb `check`: whether mels fit a model, and how to convert those that do not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from onsei.config import from_dict
from onsei.data.manifest import Manifest
from onsei.data.progress import counted
from onsei.data.row import Row
from onsei.errors import ConfigError, DataError, ModelError, OnseiError
from onsei.hub import store
from onsei.systems.vocoder.config import Check
from onsei.systems.vocoder.data.mels import SUFFIXES, load_mel
from onsei.systems.vocoder.data.pairs import Lengths, expected_frames, misfits
from onsei.vocoder.comparison import compare
from onsei.vocoder.definition import MelDefinition
from onsei.vocoder.mel import NEPERS
from onsei.vocoder.upstream import read_config

_SHOWN = 20
_LOUDEST = 5.0
"""Natural logarithm of an amplitude that no sound within full scale reaches."""


def check(options: Check) -> int:
    """Print what does not fit; 1 where something does not, 0 where all do."""
    definition = definition_of(options.model)
    lengths, faults, total, compared = Lengths(), list[str](), 0, 0
    others, sources = _definitions(options.sources)
    for other, found in others.items():
        faults += [f"{other}: {item.text} → {item.mend}" for item in compare(definition, found)]
    for row in counted("checking", _rows(options, sources)):
        total += 1
        assert row.features is not None
        try:
            mel = load_mel(row.features, definition)
            faults += [f"{row.features}: {fault}" for fault in _range(mel, definition)]
            if row.audio is None:
                continue
            lengths.add(row.features, mel.shape[1], expected_frames(row, definition))
            if compared < options.compared:
                compared += 1
                faults += [f"{row.features}: {fault}" for fault in misfits(row, definition)]
        except OnseiError as error:
            faults.append(str(error))
    told = lengths.told(options.tolerance)
    print(f"{total} mels, {len(others)} other definitions; the model's: {describe(definition)}")
    for line in faults[:_SHOWN]:
        print(f"does not fit: {line}")
    if len(faults) > _SHOWN:
        print(f"… and {len(faults) - _SHOWN} more")
    for line in told:
        print(f"length: {line}")
    if told:
        print(f"  → {lengths.mend(options.tolerance)}")
    if total and not lengths.differences:
        print("note: without their sounds (--wavs-dir, or a manifest) only shapes and values were looked at")
    if faults or told:
        return 1
    print("all fit")
    return 0


def describe(mel: MelDefinition) -> str:
    """A definition in one line."""
    return (
        f"{mel.sample_rate} Hz, {mel.n_mels} bands from {mel.f_min:g} to {mel.top:g} Hz, n_fft {mel.n_fft}, hop "
        f"{mel.hop_length}, window {mel.win_length}, {mel.log} logarithm of {mel.quantity}, padding {mel.padding}, "
        f"peak {'as it is' if mel.peak is None else mel.peak}, pre-emphasis {mel.preemphasis:g}"
    )


def definition_of(model: str) -> MelDefinition:
    """The mel definition of a model folder, or of a JSON configuration of HiFi-GAN."""
    if model.lower().endswith(".json") and Path(model).is_file():
        return read_config(Path(model)).config.mel()
    saved = store.open(model, system="vocoder")
    if "mel" not in saved.config:
        raise ModelError(f"{model}/onsei.json: config lacks mel", "copy the whole folder again")
    return from_dict(MelDefinition, saved.config["mel"], source=f"{model}/onsei.json")


def _definitions(sources: Sequence[Path]) -> tuple[dict[str, MelDefinition], list[Path]]:
    """Definitions of the models and configurations among ``sources``, and the other sources."""
    if not sources:
        raise ConfigError("which mels?", "onsei vocoder check MODEL MEL…|MANIFEST")
    told = [path for path in sources if path.is_dir() or path.suffix.lower() == ".json"]
    return {str(path): definition_of(str(path)) for path in told}, [path for path in sources if path not in told]


def _rows(options: Check, sources: Sequence[Path]) -> Iterator[Row]:
    """A row for each mel, with its sound where that is known."""
    for source in sources:
        if Path(str(source).partition("#")[0]).suffix.lower() in SUFFIXES:
            sound = None if options.wavs_dir is None else options.wavs_dir / f"{source.stem}.wav"
            if sound is not None and not sound.is_file():
                raise DataError(f"{sound}: no such sound", "check --wavs-dir")
            yield Row(id=source.stem, audio=sound, features=str(source))
            continue
        manifest = Manifest.open(source)
        for row in manifest:
            if row.features is None:
                raise DataError(f"{source}: {row.id}: the row has no `features`", "name its mel")
            yield row


def _range(mel: np.ndarray[tuple[int, ...], np.dtype[np.float32]], definition: MelDefinition) -> Iterator[str]:
    """What the values alone tell against the definition."""
    unit = NEPERS[definition.log]
    low, high = float(mel.min()) * unit, float(mel.max()) * unit
    floor = float(np.log(definition.floor))
    if low < floor - 0.5:
        yield (
            f"goes down to {mel.min():.2f}, below the floor of the definition ({floor / unit:.2f}): decibels, power, "
            f"or another floor; from decibels convert by mel * {np.log(10) / 20 / unit:.5f}, from power by mel / 2, "
            f"then np.maximum(mel, {floor / unit:.2f})"
        )
    if high > _LOUDEST:
        yield (
            f"goes up to {mel.max():.2f}, above any sound within full scale ({_LOUDEST / unit:.2f}): linear, scaled, "
            "or of samples that are not within -1 and 1"
        )
    if low >= 0 and high > 0:
        yield "has no negative value: linear amplitudes or 0..1? take logarithms, or undo the scaling"
