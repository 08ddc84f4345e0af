"""From sound to the units that a model learned from: which acoustic model it was, found and checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from onsei.audio import io
from onsei.errors import AudioError, DataError, ModelError
from onsei.metrics.units import collapsed
from onsei.systems.translation.acoustic.listener import Listener

WITHIN = "acoustic_model"
"""Folder of the acoustic model within a translator's."""


class Hearing:
    """Hears units as the rows had them that a model learned from.

    Args:
        listener: the acoustic model.
        collapse: whether repeats of a unit are taken together.
    """

    def __init__(self, listener: Listener, *, collapse: bool = True) -> None:
        self.listener, self.collapse = listener, collapse

    @classmethod
    def of(
        cls, given: Path | None, about: Mapping[str, Any], count: int, device: str = "auto", folder: Path | None = None
    ) -> Self:
        """The acoustic model that is given, or lies within ``folder``, or that the training rows were encoded with.

        Args:
            about: what ``encode`` wrote beside the training rows; empty where it is not known.
            count: units of the model that is to understand them.

        Raises:
            ModelError: there is none, or it is another one.
        """
        places = [given] if given is not None else _places(about, folder)
        place = next((path for path in places if (path / "onsei.json").is_file()), None)
        if place is None:
            if given is not None:
                raise ModelError(f"{given}: no model in it", "name the --output-dir of `onsei translation fit-units`")
            name = about.get("model")
            raise ModelError(
                f"the acoustic model that encoded the training rows ({name}) lies neither in nor beside this one"
                if name
                else "which acoustic model encoded the training rows is not known",
                "give --acoustic-model DIR",
            )
        listener = Listener.load(place, device)
        known = about.get("fingerprint")
        if listener.count != count or (known and known != listener.fingerprint):
            found = f"{listener.count} units" if listener.count != count else "other weights"
            raise ModelError(
                f"{place}: an acoustic model of {found}; the model learned from {count} units of another one",
                "give the acoustic model that encoded its training rows",
            )
        return cls(listener, collapse=bool(about.get("collapsed", True)))

    def __call__(self, path: Path | str, **segment: Any) -> NDArray[np.int64]:
        """Units of a sound file, (U,).

        Raises:
            AudioError: it cannot be read, or is too short for a unit.
        """
        units, seconds = self.listener.units(path, **segment)
        if not len(units):
            raise AudioError(f"{path}: {seconds:.2f} s are too short for a unit", "leave it out")
        return self.kept(units)

    def kept(self, frames: NDArray[np.int64]) -> NDArray[np.int64]:
        """Units of frames, (F,) → (U,)."""
        units: NDArray[np.int64] = collapsed(frames)[0] if self.collapse else frames
        return units


def sounds_of(words: Sequence[str]) -> Iterator[Path]:
    """Sound files, and those in folders and below, by name.

    Raises:
        DataError: there is no such file, or a folder has none.
    """
    for word in words:
        path = Path(word)
        if not path.is_dir():
            if not path.exists():
                raise DataError(f"{path}: no such sound", "check the path")
            yield path
            continue
        found = sorted(p for p in path.rglob("*") if p.suffix.lower() in io.SUFFIXES and not p.name.startswith("."))
        if not found:
            raise DataError(f"{path}: no sounds in it", "name a folder of recordings")
        yield from found


def _places(about: Mapping[str, Any], folder: Path | None) -> list[Path]:
    """Where the acoustic model may lie: within the model's folder, or beside it by its name."""
    if folder is None:
        return []
    name = Path(str(about.get("model", ""))).name
    return [folder / WITHIN, *([folder.absolute().parent / name] if name else [])]
