"""Which films there are, what they are called, who speaks, and where their sound is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from onsei.audio import io
from onsei.errors import ConfigError, DataError

FILMS = frozenset(
    ".mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .ts .wmv .asf .flv .ogv .gif .mxf .nut .dv".split()  # noqa: SIM905
)
_SOUNDS = tuple(sorted(io.SUFFIXES - FILMS, key=lambda suffix: (suffix != ".wav", suffix)))


@dataclass(frozen=True)
class Source:
    """A film to prepare."""

    id: str
    film: Path
    sound: Path | None
    """A file of its own; None: the film's sound track."""
    speaker: str | None
    mask: Path | None = None


def find(data_dir: Path, audio_dir: Path | None, speaker: str, mask_dir: Path | None) -> list[Source]:
    """All films below ``data_dir`` by name.

    Raises:
        ConfigError: a pattern that is none.
        DataError: no folder, no film, or two films of one name.
    """
    for name, folder in (("data-dir", data_dir), ("audio-dir", audio_dir), ("mask-dir", mask_dir)):
        if folder is not None and not folder.is_dir():
            raise DataError(f"{folder}: no such folder", f"check --{name}")
    try:
        pattern = re.compile(speaker)
    except re.error as error:
        raise ConfigError(f"speaker: {speaker!r} is no regular expression ({error})", "mend it", ["speaker"]) from None
    films = sorted(path for path in data_dir.rglob("*") if path.suffix.lower() in FILMS and path.is_file())
    films = [path for path in films if not path.name.startswith(".")]
    if not films:
        raise DataError(f"{data_dir}: no film lies there or below", "check --data-dir")
    found: dict[str, Source] = {}
    for path in films:
        name = "_".join(path.relative_to(data_dir).with_suffix("").parts)
        if name in found:
            raise DataError(f"{found[name].film} and {path}: both would be called {name}", "rename one of them")
        sound = _sound(path, data_dir, audio_dir)
        mask = None if mask_dir is None else _mask(path, data_dir, mask_dir)
        found[name] = Source(name, path, sound, _speaker(path.relative_to(data_dir), pattern), mask)
    return list(found.values())


def _sound(film: Path, data_dir: Path, audio_dir: Path | None) -> Path | None:
    stems = [film.with_suffix("")]
    if audio_dir is not None:
        stems = [audio_dir / film.relative_to(data_dir).with_suffix(""), audio_dir / film.stem]
    for stem in stems:
        for suffix in _SOUNDS:
            path = stem.with_name(stem.name + suffix)
            if path.is_file():
                return path
    if audio_dir is not None:
        raise DataError(
            f"{film.name}: no sound {film.stem}.wav, or of another format, in {audio_dir}", "check --audio-dir"
        )
    return None


def _mask(film: Path, data_dir: Path, mask_dir: Path) -> Path:
    stem = mask_dir / film.relative_to(data_dir).with_suffix("")
    for suffix in (film.suffix, *sorted(FILMS)):
        path = stem.with_name(stem.name + suffix)
        if path.is_file():
            return path
    raise DataError(f"{film.name}: no mask film of its name in {mask_dir}", "check --mask-dir")


def _speaker(name: Path, pattern: re.Pattern[str]) -> str | None:
    if pattern.pattern:
        found = pattern.search(name.with_suffix("").as_posix())
        return None if found is None else found[pattern.groups and 1]
    return name.parts[0] if len(name.parts) > 1 else None
