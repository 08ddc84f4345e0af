"""The verb `export-mels`: log-mels for a vocoder, predicted or true, each as long as its sound."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onsei.audio import io
from onsei.config import to_dict
from onsei.data.manifest import Manifest, refuse_existing
from onsei.data.progress import tracked
from onsei.errors import AudioError, ConfigError, DataError
from onsei.paths import written_aside
from onsei.systems.articulation.config.answer import Request
from onsei.systems.articulation.config.verbs import ExportMels
from onsei.systems.articulation.data.prepared import META, Prepared, load_mel, read_prepared, video_of
from onsei.systems.articulation.inference import Articulator
from onsei.vocoder.mel import NEPERS

TRUE = "ground-truth"
ALL = "all.jsonl"
_MANIFESTS = (".jsonl", ".json")


@dataclass(frozen=True)
class Source:
    """A film to read, or a prepared clip."""

    name: str
    video: Path
    features: Path | None = None
    """Its stored mel."""
    audio: Path | None = None
    prepared: Prepared | None = None


def export_mels(options: ExportMels) -> int:
    """Write or print the mel of each source; one that cannot be read is named and the others go on.

    Raises:
        ConfigError: nothing to write, no place to write to, or two of one name.
        DataError: mels are there already.
    """
    sources = list(listed(options.sources))
    if not sources:
        raise ConfigError("nothing to export", "onsei articulation export-mels MODEL VIDEO|MANIFEST… --output-dir DIR")
    targets = _targets(options, sources)
    if options.model == TRUE and options.format == "json":
        raise ConfigError("--format json prints what a model reads off films", "leave it out with ground-truth")
    model = None if options.model == TRUE else Articulator.load(options.model, options.device, options.dtype)
    failed = 0
    pairs = list(zip(sources, targets, strict=True))
    for one, target in tracked("reading mels", pairs) if options.format == "npy" else pairs:
        try:
            if target is None:
                assert model is not None
                answer = model(Request(one.video, options.frame_rate))
                print(json.dumps({"source": str(one.video), **to_dict(answer)}), flush=True)
            else:
                _write(target, _mel(one, model, options), options)
        except (AudioError, DataError) as error:
            print(f"onsei: {error}", file=sys.stderr, flush=True)
            failed += 1
    return 2 if failed else 0


def listed(paths: Sequence[Path]) -> Iterator[Source]:
    """Films as they are, and the clips of manifests and prepared folders.

    Raises:
        DataError: a folder that `prepare` did not write.
    """
    for path in paths:
        if path.is_dir():
            if not (path / META).is_file() or not (path / ALL).is_file():
                raise DataError(
                    f"{path}: neither {META} nor {ALL} in it", "name films, or the folder that `prepare` wrote"
                )
            path = path / ALL
        if path.suffix.lower() not in _MANIFESTS:
            yield Source(path.parent.name if path.name == "mri.npy" else path.stem, path)
            continue
        prepared = read_prepared(path)
        for row in Manifest.open(path):
            features = None if row.features is None else Path(row.features)
            yield Source(row.id, video_of(row), features, row.audio, prepared)


def _mel(one: Source, model: Articulator | None, options: ExportMels) -> NDArray[np.float32]:
    """Log-mel in dB, (M, F), checked against the sound of its clip."""
    if model is None:
        if one.features is None or one.prepared is None:
            raise DataError(f"{one.video}: no prepared clip, so there is no true mel", "name a manifest of `prepare`")
        mel = load_mel(one.features, one.prepared.mel.n_mels)
    else:
        mel = model.predict(model.frames(one.video, options.frame_rate, retime=options.retime))
    definition = model.mel if model is not None else one.prepared.mel if one.prepared is not None else None
    if one.audio is not None and definition is not None:
        header = io.info(one.audio)
        fits = definition.frames(header.frames)
        if header.sample_rate != definition.sample_rate or fits != mel.shape[1]:
            raise DataError(
                f"{one.name}: its mel has {mel.shape[1]} frames, its sound of {header.frames} samples at "
                f"{header.sample_rate} Hz has {fits}",
                "prepare the clips with the definition of the model",
            )
    return mel


def _write(target: Path, mel: NDArray[np.float32], options: ExportMels) -> None:
    if options.log == "natural":
        mel = mel * np.float32(NEPERS["decibel"])
    with written_aside(target) as aside, aside.open("wb") as file:
        np.save(file, mel)


def _targets(options: ExportMels, sources: Sequence[Source]) -> list[Path] | list[None]:
    if options.format == "json":
        return [None] * len(sources)
    if options.output_dir is None:
        raise ConfigError("where to?", "give --output-dir, or --format json", ["output_dir"])
    targets = [options.output_dir / f"{one.name}.npy" for one in sources]
    first: dict[Path, Source] = {}
    for one, target in zip(sources, targets, strict=True):
        other = first.setdefault(target, one)
        if other is not one:
            raise ConfigError(f"{other.video} and {one.video}: both would be {target}", "write them to two folders")
    refuse_existing(targets, options.force)
    return targets
