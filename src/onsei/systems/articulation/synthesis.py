"""The verb `synthesize`: films to sound, by one voice after another, with numbers side by side.

M mel bands, F frames, S samples.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onsei.audio import io
from onsei.data.manifest import refuse_existing
from onsei.data.progress import tracked
from onsei.errors import AudioError, ConfigError, DataError
from onsei.paths import write_text
from onsei.systems.articulation.config.verbs import Synthesize
from onsei.systems.articulation.data.clips import Analysis
from onsei.systems.articulation.evaluation.sound import SoundScores
from onsei.systems.articulation.exporting import Source, listed
from onsei.systems.articulation.inference import Articulator
from onsei.systems.articulation.listening import Heard, write_page
from onsei.systems.articulation.voices import Voice, open_voices
from onsei.vision import video
from onsei.vocoder.definition import MelDefinition

_LEAST = 0.5
"""Seconds of sound below which nothing is measured."""


def synthesize(options: Synthesize) -> int:
    """Write `VOICE/NAME_generated.wav` for each film; one that cannot be read is named and the others go on.

    Raises:
        OnseiError: no model, no such voice, or files that are there already.
    """
    sources = list(listed(options.sources))
    if not sources:
        raise ConfigError("nothing to speak", "onsei articulation synthesize MODEL VIDEO… --output-dir DIR")
    model = Articulator.load(options.model, options.device, options.dtype)
    voices = open_voices(
        options.checkpoint, model.mel, device=options.device, dtype=options.dtype, iterations=options.iterations
    )
    targets = {(voice.name, one.name): _target(options, voice, one) for voice in voices for one in sources}
    if len(set(targets.values())) < len(voices) * len(sources):
        raise ConfigError("two films of one name", "write them to two folders")
    refuse_existing([*targets.values(), *([options.page] if options.page else [])], options.force)
    for voice in voices:
        for note in voice.notes:
            print(f"onsei: {voice.name}: {note}", file=sys.stderr)
    scores = {voice.name: SoundScores(model.mel.sample_rate, options.pesq) for voice in voices}
    films: list[Heard] = []
    failed = compared = 0
    for one in tracked("speaking", sources):
        try:
            mel = model.predict(model.frames(one.video, options.frame_rate, retime=options.retime))
            own = own_sound(one, model.mel.sample_rate, mel.shape[1] * model.mel.hop)
        except (AudioError, DataError) as error:
            print(f"onsei: {error}", file=sys.stderr, flush=True)
            failed += 1
            continue
        compared += own is not None
        spoken = {voice.name: voice.speak(mel, mel.shape[1] * model.mel.hop) for voice in voices}
        alone = {name: SoundScores(model.mel.sample_rate, options.pesq) for name in spoken} if own is not None else {}
        for name, sound in spoken.items():
            io.save(targets[name, one.name], sound, model.mel.sample_rate)
            if own is not None:
                alone[name].add(own, sound)
                scores[name] += alone[name]
        if options.page is not None and len(films) < options.clips:
            films.append(_heard(one.name, mel, own, spoken, alone, model.mel))
    numbers = {name: one.numbers() for name, one in scores.items()} if compared else {}
    _tell(options, numbers, compared)
    if options.page is not None:
        write_page(options.page, films, numbers, model.mel, Path(options.model).name)
        print(f"{options.page}: open it in a browser")
    return 2 if failed else 0


def _heard(
    name: str,
    mel: NDArray[np.float32],
    own: NDArray[np.float32] | None,
    spoken: Mapping[str, NDArray[np.float32]],
    alone: Mapping[str, SoundScores],
    definition: MelDefinition,
) -> Heard:
    """A film for the page."""
    shown = {"read off the film": mel}
    if own is not None:
        shown["of the film's own sound"] = Analysis(definition)(own)[:, : mel.shape[1]]
    return Heard(name, shown, own, spoken, {voice: one.numbers() for voice, one in alone.items()})


def own_sound(one: Source, rate: int, samples: int) -> NDArray[np.float32] | None:
    """The film's own sound (S,) from its first frame on, cut or filled to ``samples``; None where there is none."""
    path, late = one.audio, 0.0
    if path is None and one.video.suffix.lower() != ".npy":
        header = video.info(one.video)
        path, late = (one.video, header.sound_late) if header.sound else (None, 0.0)
    if path is None:
        return None
    sound, _ = io.load(path, rate)
    begin = round(late * rate)
    sound = np.concatenate([np.zeros(max(0, begin), np.float32), sound[max(0, -begin) :]])[:samples]
    return np.pad(sound, (0, samples - len(sound))) if len(sound) >= _LEAST * rate else None


def _target(options: Synthesize, voice: Voice, one: Source) -> Path:
    return options.output_dir / voice.name / f"{one.name}_generated.wav"


def _tell(options: Synthesize, numbers: Mapping[str, Mapping[str, float]], compared: int) -> None:
    """Print the voices side by side, and write the numbers."""
    if not compared:
        print("no film has sound of its own to compare with")
        return
    plain = {
        f"{name}/{key}": value if isfinite(value) else None
        for name, each in numbers.items()
        for key, value in each.items()
    }
    write_text(options.output_dir / "numbers.json", json.dumps({"films": compared, **plain}, indent=1) + "\n")
    print(side_by_side(numbers))


def side_by_side(numbers: Mapping[str, Mapping[str, float]]) -> str:
    """A column for each voice."""
    names: Sequence[str] = list(numbers)
    width = max(12, *(len(name) + 2 for name in names))
    keys = list(next(iter(numbers.values())))
    head = " " * 18 + "".join(f"{name:>{width}}" for name in names)
    rows = (f"{key:<18}" + "".join(f"{numbers[name][key]:>{width}.3f}" for name in names) for key in keys)
    return "\n".join([head, *rows])
