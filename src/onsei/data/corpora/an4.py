"""AN4: spelled names and numbers, recorded at Carnegie Mellon University in 1991; headerless, sph or wav files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from onsei.audio.io.raw import raw_to_wav
from onsei.data.corpora.corpus import Choice, Entry, Fault, Names, Utterance, first_folders, kind_of
from onsei.data.corpora.lines import Line, read_lines
from onsei.data.download import Remote
from onsei.data.row import Row
from onsei.errors import AudioError

_ADDRESS = "http://www.speech.cs.cmu.edu/databases/an4/an4_raw.bigendian.tar.gz"
_RATE = 16000
_ENDINGS = (".wav", ".sph", ".flac", ".raw")
_LINE = re.compile(r"(.*)\(([^()]+)\)$")
_MARKER = re.compile(r"<[^<>]*>")


@dataclass(frozen=True)
class AN4:
    """948 utterances to train on, 130 to test; a validation part is cut from the former by speaker."""

    title: str = "AN4"
    looked_for: str = "etc/an4_train.fileids and etc/an4_train.transcription beside wav/"
    parts: tuple[str, ...] = ("train", "test")
    many: bool = False

    def remotes(self, choice: Choice) -> list[Remote]:
        """The archive of headerless files. Its publisher tells no checksum."""
        return [Remote(choice.url or _ADDRESS)]

    def roots(self, folder: Path, choice: Choice) -> list[Path]:
        """The folder that holds ``etc`` and ``wav``."""
        return first_folders(folder, 2, lambda path: (path / "etc" / "an4_train.fileids").is_file())[:1]

    def read(self, roots: list[Path], choice: Choice) -> Iterator[Entry]:
        """Utterances as listed in ``etc``; a headerless file is converted to a wav in ``choice.made``."""
        (root,) = roots
        for part in self.parts:
            texts: dict[str, str] = {}
            for found in _transcripts(root / "etc" / f"an4_{part}.transcription"):
                if isinstance(found, Fault):
                    yield found
                elif found[0] in texts:
                    yield Fault("duplicate", found[2], f"the transcript of {found[0]} stands twice")
                else:
                    texts[found[0]] = found[1]
            yield from _listed(root, part, texts, choice)


def _transcripts(path: Path) -> Iterator[tuple[str, str, str] | Fault]:
    """(id, text, place) of the lines ``<s> TEXT </s> (id)``; the test's lines have no markers."""
    for line in read_lines(path):
        match = _LINE.match(line.text) if isinstance(line, Line) else None
        if match:
            yield match[2].strip(), " ".join(_MARKER.sub(" ", match[1]).split()), line.place
        elif isinstance(line, Line):
            yield Fault("line", line.place, f"expected `TEXT (id)`, found {line.text[:60]!r}")
        else:
            yield line


def _listed(root: Path, part: str, texts: dict[str, str], choice: Choice) -> Iterator[Entry]:
    names = Names()
    for line in read_lines(root / "etc" / f"an4_{part}.fileids"):
        if isinstance(line, Fault):
            yield line
            continue
        name = Path(line.text).name
        speaker = Path(line.text).parent.name
        if Path(line.text).is_absolute() or ".." in Path(line.text).parts or not speaker:
            yield Fault("line", line.place, f"expected `folder/speaker/id`, found {line.text[:60]!r}")
        elif not names.is_new(name):
            yield Fault("duplicate", line.place, f"{name} is listed twice")
        elif not texts.get(name):
            reason = "its transcript is empty" if name in texts else "has no transcript"
            yield Fault("transcript", line.place, f"{name}: {reason}")
            texts.pop(name, None)
        else:
            text, found = texts.pop(name), _found(root / "wav" / line.text)
            if not found.is_file():
                yield Fault("missing", line.place, f"{name}: no sound ({' '.join(_ENDINGS)})")
                continue
            try:
                audio = _readable(found, line.text, choice)
            except AudioError as error:
                yield Fault(kind_of(found), line.place, error.message)
                continue
            yield Utterance(part, Row(name, audio, text=text, speaker=speaker), line.place)
    for name in texts:
        yield Fault("missing", str(root / "etc" / f"an4_{part}.transcription"), f"{name} is not in the list of files")


def _found(base: Path) -> Path:
    """The sound file of ``base``, whose extension is not told."""
    paths = [base.with_name(base.name + ending) for ending in _ENDINGS]
    return next((path for path in paths if path.is_file()), paths[0])


def _readable(found: Path, listed: str, choice: Choice) -> Path:
    if found.suffix != ".raw":
        return found
    wav = choice.made / f"{listed}.wav"
    raw_to_wav(found, wav, _RATE, big_endian=True)
    return wav
