"""Recordings of one's own: sounds with texts of the same name in a folder, or a manifest that lists both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from onsei.audio import io
from onsei.data.corpora.corpus import Choice, Entry, Fault, Utterance
from onsei.data.download import Remote
from onsei.data.manifest import Manifest
from onsei.data.row import Row
from onsei.errors import DataError


@dataclass(frozen=True)
class Folder:
    """Sounds with a text beside each, ``a.wav`` and ``a.txt``, or apart in ``wav/`` and ``txt/``."""

    title: str = "recordings"
    looked_for: str = "sounds with a text file of the same name beside each, or in txt/ beside wav/"
    parts: tuple[str, ...] = ("train",)
    many: bool = False

    def remotes(self, choice: Choice) -> list[Remote]:
        """There is nothing to download."""
        raise DataError("no SOURCE", "name the folder of the recordings, or an archive of them")

    def roots(self, folder: Path, choice: Choice) -> list[Path]:
        """The folder itself, if a sound lies in it or below."""
        return [folder] if any(path.suffix.lower() in io.SUFFIXES for path in folder.rglob("*")) else []

    def read(self, roots: list[Path], choice: Choice) -> Iterator[Entry]:
        """Utterances by name; where names stand twice, numbers tell them apart."""
        (root,) = roots
        sounds = sorted(path for path in root.rglob("*") if path.suffix.lower() in io.SUFFIXES)
        for sound, name in zip(sounds, apart([path.stem for path in sounds]), strict=True):
            yield _beside(sound, name)


@dataclass(frozen=True)
class Listed:
    """A manifest of any kind that onsei reads; made for the CSV and JSON manifests of deepspeech.pytorch."""

    title: str = "manifest"
    looked_for: str = "rows of `audio path,text path`, or a JSON manifest with root_path and samples"
    parts: tuple[str, ...] = ("train",)
    many: bool = False

    def remotes(self, choice: Choice) -> list[Remote]:
        """There is nothing to download."""
        raise DataError("no SOURCE", "name the manifest")

    def roots(self, folder: Path, choice: Choice) -> list[Path]:
        """The file itself."""
        return [folder] if folder.is_file() else []

    def read(self, roots: list[Path], choice: Choice) -> Iterator[Entry]:
        """Utterances line by line."""
        (path,) = roots
        manifest = Manifest.open(path)
        for number, line in enumerate(manifest.line_numbers()):
            place = f"{path}:{line}"
            try:
                row = manifest.read(number, place)
            except DataError as error:
                yield Fault("line", place, error.message)
                continue
            if row.audio is None:
                yield Fault("line", place, "names no audio")
            elif not (row.text or "").strip():
                yield Fault("transcript", place, "the transcript is empty")
            else:
                yield Utterance("train", row, place)


def _beside(sound: Path, name: str) -> Entry:
    # The layout of deepspeech.pytorch's corpora: wav/NAME.wav beside txt/NAME.txt.
    texts = [sound.with_suffix(".txt"), sound.parent.parent / "txt" / f"{sound.stem}.txt"]
    text = next((path for path in texts if path.exists()), texts[0])
    try:
        words = " ".join(text.read_text(encoding="utf-8-sig").split())
    except FileNotFoundError:
        return Fault("transcript", str(sound), f"no transcript {text.name}")
    except UnicodeDecodeError:
        return Fault("encoding", str(text), "not UTF-8 text")
    except (OSError, ValueError) as error:  # a folder, no right to read, a NUL in the name
        return Fault("transcript", str(text), f"cannot be read: {error}")
    if not words:
        return Fault("transcript", str(text), "the transcript is empty")
    return Utterance("train", Row(name, sound.absolute(), text=words), str(sound))


def apart(names: list[str]) -> Iterable[str]:
    """``names``, numbered where they stand twice, so that each is there once."""
    taken, seen = set(names), set()
    for name in names:
        candidates = chain([name] if name not in seen else [], (f"{name}-{number}" for number in count(2)))
        chosen = next(candidate for candidate in candidates if candidate == name or candidate not in taken)
        seen.add(chosen)
        taken.add(chosen)
        yield chosen
