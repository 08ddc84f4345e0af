"""The verb `vocode`: mels and sounds to wav files."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from onsei.audio import io
from onsei.config import to_dict
from onsei.data.manifest import refuse_existing
from onsei.data.progress import tracked
from onsei.errors import AudioError, ConfigError, DataError
from onsei.systems.vocoder.baseline import GriffinLimVoice
from onsei.systems.vocoder.config import Request, Vocode
from onsei.systems.vocoder.data.mels import SUFFIXES
from onsei.systems.vocoder.inference import Vocoder

BASELINE = "griffin-lim"


def vocode(options: Vocode) -> int:
    """Write or print the sound of each source; one that cannot be read is named and the others go on."""
    sources = listed(options)
    targets = _targets(options, sources)
    voice = opened(options)
    failed = 0
    pairs = list(zip(sources, targets, strict=True))
    for source, target in tracked("speaking", pairs) if options.format == "wav" else pairs:
        try:
            if target is None:
                print(json.dumps({"source": str(source), **to_dict(voice(Request(source)))}), flush=True)
            else:
                mel, length = voice.read(Request(source))
                io.save(target, voice.speak(mel, length), voice.sample_rate)
        except (AudioError, DataError) as error:
            print(f"onsei: {error}", file=sys.stderr, flush=True)
            failed += 1
    return 2 if failed else 0


def opened(options: Vocode) -> Vocoder:
    """The model of the options, or Griffin-Lim after the mel definition of ``like``."""
    if options.model != BASELINE:
        return Vocoder.load(options.model, options.device, options.dtype, options.refine)
    if not options.like:
        raise ConfigError(f"{BASELINE}: by which mel definition?", "give --like MODEL")
    like = Vocoder.load(options.like, "cpu")
    return GriffinLimVoice(like.mel)


def listed(options: Vocode) -> list[Path]:
    """All sources: those named, and those of the folders."""
    sources = list(options.sources)
    for folder, suffixes in ((options.mels_dir, SUFFIXES), (options.wavs_dir, io.SUFFIXES)):
        if folder is None:
            continue
        if not folder.is_dir():
            raise ConfigError(f"{folder}: no such folder", "check --mels-dir and --wavs-dir")
        sources += sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes)
    if not sources:
        raise ConfigError("nothing to speak", "onsei vocoder vocode MODEL MEL|AUDIO… --output-dir DIR")
    return sources


def _targets(options: Vocode, sources: Sequence[Path]) -> list[Path] | list[None]:
    if options.format == "json":
        return [None] * len(sources)
    if options.output_dir is None:
        raise ConfigError("where to?", "give --output-dir, or --format json", ["output_dir"])
    targets = [options.output_dir / f"{source.stem}.wav" for source in sources]
    first: dict[Path, Path] = {}
    for source, target in zip(sources, targets, strict=True):
        other = first.setdefault(target, source)
        if other is not source:
            raise ConfigError(f"{other} and {source}: both would be written to {target}", "write them to two folders")
        if target.exists() and target.resolve() == source.resolve():
            raise ConfigError(f"{source}: would be written over itself", "choose another --output-dir")
    refuse_existing(targets, options.force)
    return targets
