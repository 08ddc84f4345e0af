"""Folders of recordings as manifests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from onsei.audio import io
from onsei.data import manifest
from onsei.data.corpora.recordings import apart
from onsei.data.progress import tracked
from onsei.data.row import Row
from onsei.errors import AudioError, DataError


def sounds_in(folder: Path) -> list[Path]:
    """Sound files in ``folder`` and below, by name; hidden ones are left out.

    Raises:
        DataError: there are none.
    """
    found = sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in io.SUFFIXES and not path.name.startswith(".")
    )
    if not found:
        raise DataError(f"{folder}: no sound files in it", f"name a folder of {' '.join(sorted(io.SUFFIXES))}")
    return found


def gathered(source: Path, target: Path) -> Path:
    """``source`` if it is a manifest; of a folder a manifest of all sounds in it, written to ``target``.

    Sounds whose headers cannot be read are left out and told.

    Raises:
        DataError: there is no such file or folder, or no usable sound in it.
    """
    source = Path(source)
    if not source.is_dir():
        if not source.exists():
            raise DataError(f"{source}: no such file or folder", "check the path")
        return source
    sounds = sounds_in(source)
    faults: list[str] = []

    def rows() -> Iterator[Row]:
        named = list(zip(sounds, apart([path.stem for path in sounds]), strict=True))
        for path, name in tracked(f"reading {source.name}", named):
            try:
                yield Row(name, path.absolute(), duration=round(io.info(path).duration, 4))
            except AudioError as error:
                faults.append(error.message)

    manifest.write(target, rows())
    if faults:
        print(f"{len(faults)} of {len(sounds)} sounds cannot be read and are left out; first: {faults[0]}")
    if len(faults) == len(sounds):
        raise DataError(f"{source}: none of its {len(sounds)} sounds can be read: {faults[0]}", "check the files")
    return target
