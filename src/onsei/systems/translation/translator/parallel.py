"""Speech with translations as encoded rows: of a manifest, or of a folder with ``audio`` and ``text``."""

from __future__ import annotations

from pathlib import Path

from onsei.audio import io
from onsei.data import manifest as manifests
from onsei.data.manifest import Manifest
from onsei.data.row import Row
from onsei.errors import DataError
from onsei.systems.translation.acoustic.encode import encode
from onsei.systems.translation.acoustic.shards import UNITS as FILE
from onsei.systems.translation.config.units import Encode
from onsei.systems.translation.ground.rows import NAMES, UNITS

_NAMED = 5


def with_units(path: Path, acoustic: Path | None, folder: Path, name: str) -> Path:
    """``path`` where its rows have units; else they are encoded with the acoustic model, in ``folder``.

    Raises:
        DataError: there is nothing, or nothing to encode it with.
    """
    path = Path(path)
    if path.is_dir() and not any((path / file).is_file() for file in NAMES):
        if not (path / "audio").is_dir():
            raise DataError(f"{path}: neither encoded rows nor `audio` and `text` in it", "name a manifest")
        path = matched(path, folder / "encoded" / f"{name}-pairs.jsonl")
    if path.is_dir() or path.suffix == ".json":
        return path
    manifest = Manifest.open(path)
    if any(UNITS in manifest[number].extra for number in range(min(len(manifest), 100))):
        return path
    if acoustic is None:
        raise DataError(f"{path}: its rows have no units", "give --acoustic-model, or encode them first")
    place = folder / "encoded" / name
    encode(Encode(model=acoustic, manifest=path, output_dir=place))
    return place / FILE


def matched(folder: Path, target: Path) -> Path:
    """A manifest of the sounds in ``folder/audio`` with the texts in ``folder/text`` of the same stem.

    Halves without the other are told and left out.

    Raises:
        DataError: no sound has a text.
    """
    sounds = {path.stem: path for path in sorted((folder / "audio").iterdir()) if path.suffix.lower() in io.SUFFIXES}
    texts = {path.stem: path for path in sorted((folder / "text").glob("*.txt"))} if (folder / "text").is_dir() else {}
    both = [stem for stem in sounds if stem in texts]
    for what, names in (
        ("sounds without a text", set(sounds) - set(texts)),
        ("texts without a sound", set(texts) - set(sounds)),
    ):
        if names:
            print(
                f"onsei: {folder}: {len(names)} {what}, such as {', '.join(sorted(names)[:_NAMED])}; they are left out"
            )
    if not both:
        raise DataError(f"{folder}: no sound in `audio` has a text of its name in `text`", "name them alike")
    manifests.write(
        target,
        (Row(stem, sounds[stem].absolute(), text=texts[stem].read_text(encoding="utf-8-sig").strip()) for stem in both),
    )
    return target
