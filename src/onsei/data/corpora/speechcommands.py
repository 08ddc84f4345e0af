"""Speech Commands: one-second recordings of 35 words by thousands of speakers (Warden 2018, arXiv 1804.03209)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from onsei.audio import io
from onsei.data.corpora.corpus import Choice, Entry, Fault, Utterance, files_in, first_folders, kind_of
from onsei.data.corpora.lines import read_lines
from onsei.data.download import Remote
from onsei.data.row import Row
from onsei.errors import AudioError

_ADDRESS = "http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz"
_DIGEST = "sha256:af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58"
WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
"""The ten words of the twelve-class task."""
UNKNOWN, SILENCE = "_unknown_", "_silence_"
_NOISE = "_background_noise_"
_LISTS = {"validation_list.txt": "val", "testing_list.txt": "test"}
_SHARE = 0.1
"""Clips of unknown words, and of silence, as a share of the ten words' clips in each part."""
_REACH = {"train": (0.0, 0.8), "val": (0.8, 0.9), "test": (0.9, 1.0)}
"""Which stretch of each noise recording a part's silence is cut from, so that no sample is in two parts."""


@dataclass(frozen=True)
class SpeechCommands:
    """The publisher's lists make ``val`` and ``test``, all else is ``train``; no speaker is in two of them.

    With ``twelve`` the other 25 words become ``_unknown_`` and stretches of the noise recordings ``_silence_``, each a
    tenth of the ten words' clips in every part, as in section 6 of the paper.
    """

    twelve: bool = False
    seed: int = 0
    """Of the choice of unknown words and silence."""
    title: str = "Speech Commands"
    looked_for: str = "validation_list.txt and testing_list.txt beside folders such as yes/ and no/"
    parts: tuple[str, ...] = ("train", "val", "test")
    many: bool = False

    def remotes(self, choice: Choice) -> list[Remote]:
        """The archive of version 2, whose checksum torchaudio gives."""
        return [Remote(choice.url) if choice.url else Remote(_ADDRESS, _DIGEST)]

    def roots(self, folder: Path, choice: Choice) -> list[Path]:
        """The folder of the words."""
        return first_folders(folder, 2, lambda path: all((path / name).is_file() for name in _LISTS))[:1]

    def read(self, roots: list[Path], choice: Choice) -> Iterator[Entry]:
        """Clips word by word; silence last."""
        (root,) = roots
        listed: dict[str, str] = {}
        for name, part in _LISTS.items():
            for line in read_lines(root / name):
                if isinstance(line, Fault):
                    yield line
                elif not (root / line.text).is_file():
                    yield Fault("missing", line.place, f"no sound {line.text[:80]!r}")
                else:
                    listed[line.text] = part
        words = sorted(path.name for path in root.iterdir() if path.is_dir() and path.name[0] not in "._")
        clips = [
            Utterance(listed.get(f"{word}/{path.name}", "train"), _row(word, path), str(path))
            for word in words
            for path in files_in(root / word)
            if path.suffix.lower() in io.SUFFIXES
        ]
        yield from self._twelve(clips, root) if self.twelve else clips

    def _twelve(self, clips: list[Utterance], root: Path) -> Iterator[Entry]:
        draw = np.random.default_rng(self.seed)
        known = [clip for clip in clips if clip.row.label in WORDS]
        others = [clip for clip in clips if clip.row.label not in WORDS]
        yield from known
        for part in self.parts:
            wanted = int(np.ceil(_SHARE * sum(clip.part == part for clip in known)))
            pool = [clip for clip in others if clip.part == part]
            for number in np.sort(draw.permutation(len(pool))[:wanted]).tolist():
                clip = pool[number]
                yield clip._replace(row=replace(clip.row, label=UNKNOWN, extra={"word": clip.row.label}))
            yield from _silences(root / _NOISE, part, wanted, draw)


def _row(word: str, path: Path) -> Row:
    speaker, found, _ = path.stem.partition("_nohash_")
    return Row(f"{word}/{path.stem}", path.absolute(), label=word, speaker=speaker if found else None)


def _silences(folder: Path, part: str, wanted: int, draw: np.random.Generator) -> Iterator[Entry]:
    lengths: dict[Path, float] = {}
    for path in files_in(folder):
        if path.suffix.lower() in io.SUFFIXES:
            try:
                lengths[path] = io.info(path).duration
            except AudioError as error:
                yield Fault(kind_of(path), str(path), error.message)
    low, high = _REACH[part]
    fits = [path for path, seconds in lengths.items() if (high - low) * seconds > 1.0]
    if not fits and wanted:
        yield Fault("missing", str(folder), f"no noise of ten seconds or more to cut {SILENCE} of {part} from")
        return
    for number in range(wanted):
        path = fits[int(draw.integers(len(fits)))]
        first, last = low * lengths[path], high * lengths[path] - 1.0
        offset = round(float(draw.uniform(first, last)), 3)
        row = Row(f"{SILENCE}/{part}-{number}", path.absolute(), label=SILENCE, offset=offset, duration=1.0)
        yield Utterance(part, replace(row, extra={"recording": path.stem}), str(path))
