"""The demo's films: simulated speakers, prepared for training, and films with known contours for an honest test."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onsei.data import manifest
from onsei.data.progress import tracked
from onsei.data.row import Row
from onsei.demo.tract import takes
from onsei.demo.tract.speaker import Speaker
from onsei.demo.tract.takes import FRAMES, HOP, RATE, Take
from onsei.errors import DataError
from onsei.paths import write_text, written_aside
from onsei.systems.articulation.data.clips import Analysis, Clip, Moments, write_clip, write_meta
from onsei.systems.articulation.data.prepared import Prepared
from onsei.vision import video
from onsei.vocoder.definition import MelDefinition

SUBFRAMES = 4
"""Mel frames for each frame of film: with one the voice would be as choppy as the film."""
MEL = MelDefinition(
    sample_rate=RATE, n_fft=1024, hop_length=HOP // SUBFRAMES, win_length=512, n_mels=64, f_max=None,
    quantity="power", log="decibel", floor=1e-4, epsilon=0.0, peak=None,
)  # fmt: skip
SPEAKERS = (
    Speaker("one", 1.0, 115.0),
    Speaker("two", 0.95, 145.0, (0.4, -0.3), 0.04, 1.05),
    Speaker("three", 0.9, 185.0, (-0.3, 0.2), -0.03, 0.95),
)
_SIZE = 128
_MARK = "films.json"


@dataclass(frozen=True)
class Films:
    """Where the films lie."""

    train: Path
    """Manifest of prepared clips."""
    val: Path
    test: Path
    """Manifest of utterances that are not in training, by speakers that are."""
    shown: tuple[Path, ...]
    """The films of the test, each with its labels (`.json`) and contours (`.npz`)."""


def make_films(
    folder: Path, seed: int = 0, *, train: int = 15, val: int = 3, test: int = 3, seconds: float = 4.0
) -> Films:
    """Make films and prepared clips in ``folder``; the same seed gives the same. What is there of it is kept.

    Args:
        folder: new, empty, or earlier films of the demo, which are replaced where seed or size differ.
        seed: of everything that is drawn.
        train, val, test: utterances, dealt out to the speakers.
        seconds: length of each.

    Raises:
        DataError: ``folder`` holds something else.
    """
    counts = {"train": train, "val": val, "test": test}
    mark = json.dumps({"seed": seed, **counts, "seconds": seconds, "made_by": "onsei demo"})
    names = tuple(f"test-{number}.mp4" for number in range(test))
    lists = [folder / f"{part}.jsonl" for part in counts]
    found = Films(lists[0], lists[1], lists[2], tuple(folder / name for name in names))
    if folder.exists():
        there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else [folder.name]
        if there and _MARK not in there:
            raise DataError(
                f"{folder}: holds files that are not the demo's films, such as {there[0]}; nothing was touched",
                "choose a new or empty folder",
            )
        if there and (folder / _MARK).read_text(encoding="utf-8") == mark:
            return found
    definition = Prepared(MEL, str(FRAMES), SUBFRAMES, _SIZE, prepared=f"demo-{zlib.crc32(mark.encode()):08x}")
    moments = Moments()
    with written_aside(folder) as aside:
        listed = [(part, number) for part, count in counts.items() for number in range(count)]
        rows: dict[str, list[Row]] = {part: [] for part in counts}
        for part, number in tracked("films", listed):
            made = _take(part, number, seed, seconds)
            if part == "test":
                takes.save(made, aside, f"test-{number}")
            clip = _clip(f"{part}-{number:02}", made)
            if part == "train":
                moments.add(clip.mel)
            rows[part].append(write_clip(aside, clip, definition, "uint8"))
        for part, kept in rows.items():
            manifest.write(aside / f"{part}.jsonl", kept)
        write_meta(aside, definition, moments.scaler(definition.prepared))
        write_text(aside / _MARK, mark)
    return found


def _take(part: str, number: int, seed: int, seconds: float) -> Take:
    draw = zlib.crc32(f"{seed}/{part}/{number}".encode())
    return takes.take(draw, seconds=seconds, speaker=SPEAKERS[number % len(SPEAKERS)])


def _clip(name: str, made: Take) -> Clip:
    small = made.frames.reshape(len(made.frames), _SIZE, 256 // _SIZE, _SIZE, 256 // _SIZE).mean((2, 4))
    pictures = video.stretched(np.rint(small).astype(np.uint8))
    mel = Analysis(MEL)(made.sound)
    return Clip(name, pictures, made.sound, mel, speaker=made.speaker.name)


def utterances(films: Films) -> Iterator[tuple[Path, Path]]:
    """Each film of the test and its contours."""
    for path in films.shown:
        yield path, path.with_suffix(".npz")
