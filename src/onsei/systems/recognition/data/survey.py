"""A look at every row before the long work starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from onsei.data.manifest import Manifest
from onsei.data.row import Row
from onsei.decoding.ctc import required_frames
from onsei.errors import ConfigError, DataError
from onsei.nn.frames import Frames
from onsei.systems.recognition.config import Data, Features
from onsei.systems.recognition.data.front import FrontEnd
from onsei.systems.recognition.model import frames_of
from onsei.text.alphabet import Alphabet


@dataclass(frozen=True)
class Survey:
    """What a look at every row before training found."""

    rows: int
    hours: float
    without_text: tuple[str, ...]
    unknown: Counter[str]
    too_long: tuple[str, ...]
    """Ids of utterances whose labels do not fit into their frames."""


def survey(rows: Iterable[Row], alphabet: Alphabet, features: Features, frames: Frames | None = None) -> Survey:
    """Read every row once: transcripts, characters outside the alphabet, labels that do not fit."""
    front, frames = FrontEnd(features), frames or frames_of()
    unknown: Counter[str] = Counter()
    without_text, too_long, count, seconds = [], [], 0, 0.0
    for row in rows:
        count, seconds = count + 1, seconds + (row.duration or 0.0)
        if row.text is None:
            without_text.append(row.id)
            continue
        unknown.update(alphabet.unknown([row.text]))
        found = frames.count(front.frames(row.duration or 0.0))
        if row.duration and required_frames(alphabet.encode(row.text)) > found:
            too_long.append(row.id)
    return Survey(count, seconds / 3600, tuple(without_text), unknown, tuple(too_long))


def told(path: Path, unknown: Counter[str]) -> str:
    """Which characters of a manifest are outside the labels, and how often; the most frequent first."""
    shown = ", ".join(f"{character!r} × {count}" for character, count in unknown.most_common(20))
    return f"{path}: characters outside the labels: {shown}"


def accept(
    name: str, manifest: Manifest, found: Survey, options: Data, left_out: Collection[str] = frozenset()
) -> None:
    """Say what the survey of the manifest given by the flag ``name`` found; stop where training would be wasted.

    Args:
        left_out: units that the user chose to give no label: they stop nothing.

    Raises:
        ConfigError: characters outside the labels, and the options do not drop them.
        DataError: no utterance, or none that can be learned from.
    """
    if not found.rows:
        raise DataError(f"{manifest.path}: no utterances that can be read", f"check {name}")
    if len(manifest) > found.rows:
        lost = f"{len(manifest) - found.rows} of {len(manifest)} transcripts cannot be read"
        print(f"{manifest.path}: {lost}; these rows will be quarantined")
    if found.without_text:
        counted = f"{len(found.without_text)} of {found.rows} rows have no text, first {found.without_text[0]}"
        raise DataError(f"{manifest.path}: {counted}", "give each row the key `text`, or take these rows out")
    if found.unknown:
        message = told(manifest.path, found.unknown)
        if options.unknown_characters == "fail" and not found.unknown.keys() <= set(left_out):
            raise ConfigError(
                message, "--unknown-characters drop trains without them; --labels-path and --case change the labels"
            )
        print(f"{message}; left out")
    if len(found.too_long) == found.rows:
        raise DataError(f"{manifest.path}: no utterance has frames enough for its labels", "check duration and text")
    if found.too_long:
        few = ", ".join(found.too_long[:5])
        print(f"{manifest.path}: {len(found.too_long)} utterances with more labels than frames are left out: {few}")
