"""VoxForge: read sentences sent in by volunteers, a folder or archive a session; wav or flac under many names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from onsei.audio import io
from onsei.data.corpora.corpus import Choice, Entry, Fault, Names, Utterance, files_in, first_folders, folders
from onsei.data.corpora.lines import Line, read_lines
from onsei.data.download import Remote, listing
from onsei.data.row import Row

ADDRESS = "http://www.repository.voxforge1.org/downloads/SpeechCorpus/Trunk/Audio/Main/16kHz_16bit/"
_LISTS = ("prompts", "prompts-original", "prompts.txt", "prompts-original.txt", "prompt", "prompt.txt")
"""Names of transcripts in small letters, the preferred first: ``PROMPTS`` is without punctuation."""
_SESSION = re.compile(r"(.+?)-\d{6,8}(?:-|$)")


@dataclass(frozen=True)
class VoxForge:
    """No official split: all is ``train``, and a validation part is cut from it by speaker."""

    title: str = "VoxForge"
    looked_for: str = "session folders with etc/PROMPTS or etc/prompts-original and sounds in wav/ or flac/"
    parts: tuple[str, ...] = ("train",)
    many: bool = True

    def remotes(self, choice: Choice) -> Iterator[Remote]:
        """An archive a session, from the page that lists them. VoxForge tells no checksums."""
        return (Remote(url) for url in listing(choice.url or ADDRESS, ".tgz"))

    def roots(self, folder: Path, choice: Choice) -> list[Path]:
        """The folders of the sessions."""
        return first_folders(folder, 4, lambda path: bool(_lists(path)))

    def read(self, roots: list[Path], choice: Choice) -> Iterator[Entry]:
        """Utterances session by session."""
        names = Names()
        for session in roots:
            if names.is_new(session.name):
                yield from _session(session)
            else:
                yield Fault("duplicate", str(session), "a session of this name came before")


def _lists(session: Path) -> list[Path]:
    """Files of prompts, the preferred first."""
    etc = next((path for path in (session / "etc", session / "Etc", session / "ETC") if path.is_dir()), None)
    found = {path.name.lower(): path for path in files_in(etc)} if etc else {}
    return [found[name] for name in _LISTS if name in found]


def _session(session: Path) -> Iterator[Entry]:
    sounds: dict[str, Path] = {}
    for folder in folders(session, 2):
        for path in files_in(folder):
            # The first name in the order of letters wins, but wav over flac: both may be there.
            if path.suffix.lower() in io.SUFFIXES and (path.stem not in sounds or path.suffix.lower() == ".wav"):
                sounds[path.stem] = path
    small = {stem.lower(): stem for stem in sounds}
    speaker = _speaker(session.name)
    used: set[str] = set()
    missing: dict[str, Fault] = {}
    silent: dict[str, Fault] = {}
    for path in _lists(session):
        names = Names()
        for line in read_lines(path):
            if isinstance(line, Fault):
                yield line
                continue
            name, text = _parsed(line)
            stem = name if name in sounds else small.get(name.lower(), "")
            if not names.is_new(name):
                yield Fault("duplicate", line.place, f"the prompt of {name} stands twice")
            elif not stem:
                missing.setdefault(name, Fault("missing", line.place, f"no sound called {name}"))
            elif stem not in used and not text:
                silent.setdefault(stem, Fault("transcript", line.place, f"{name}: the prompt is empty"))
            elif stem not in used:
                used.add(stem)
                yield Utterance(
                    "train", Row(f"{session.name}/{stem}", sounds[stem], text=text, speaker=speaker), line.place
                )
    yield from missing.values()
    for stem, path in sounds.items():
        if stem not in used:
            yield silent.get(stem) or Fault("transcript", str(path), "has no prompt")


def _parsed(line: Line) -> tuple[str, str]:
    """File name without folders and extension, and text, of ``NAME/mfc/a0001 TEXT`` or ``a0001<tab>TEXT``."""
    first, *rest = line.text.split(None, 1)
    name = first.replace("\\", "/").rpartition("/")[2]
    stem, dot, ending = name.rpartition(".")
    name = stem if dot and f".{ending.lower()}" in io.SUFFIXES | {".mfc"} else name
    return name, " ".join(rest[0].split()) if rest else ""


def _speaker(session: str) -> str:
    """The user of ``USER-20080318-kdl``; who is anonymous is a speaker of his own in every session."""
    match = _SESSION.match(session)
    return match[1] if match and match[1].lower() not in ("anonymous", "anon") else session
