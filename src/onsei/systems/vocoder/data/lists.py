"""From what a user has (folder of sounds, filelist of HiFi-GAN, manifest) to the manifests that training reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from onsei.audio import io
from onsei.data import manifest as manifests
from onsei.data.manifest import Manifest
from onsei.data.row import Row
from onsei.data.split import cut
from onsei.errors import ConfigError, DataError
from onsei.systems.vocoder.config.train import Train
from onsei.systems.vocoder.data.mels import SUFFIXES, named
from onsei.systems.vocoder.data.segments import EXTRA

FOLDER = "data"
"""Folder of the run that holds the manifests made here."""
_MANIFESTS = (".jsonl", ".json", ".csv")


@dataclass(frozen=True)
class Lists:
    """Manifests of a run."""

    train: Manifest
    val: Manifest


def gathered(options: Train) -> Lists:
    """Find the recordings and mels that the options name, and write the manifests into the run folder.

    Rows are written one by one: memory does not grow with the corpus.

    Raises:
        ConfigError: options that contradict each other or leave too much open.
        DataError: sounds or mels are missing; names the first.
    """
    check(options)
    folder = options.output_dir / FOLDER
    val = None if options.val_manifest is None else _listed(options, options.val_manifest, folder / "val.jsonl")
    train = _listed(options, options.train_manifest, folder / "train.jsonl")
    return Lists(train, val) if val is not None else _held_out(options, train, folder)


def check(options: Train) -> None:
    """Raise ConfigError for options about data that do not go together."""
    if options.train_manifest is None and options.wavs_dir is None:
        raise ConfigError("which recordings?", "give --train-manifest, or --wavs-dir with a folder of sounds")
    given = [name for name in ("mels_dir", "extra_mels_dir") if getattr(options, name) is not None]
    if given and not options.fine_tuning:
        raise ConfigError(
            f"{', '.join(given)}: mels are given, but without fine_tuning those of the sounds are learned from",
            "add --fine-tuning, or leave the mels out",
            given,
        )
    if options.fine_tuning and options.mels_dir is None and is_filelist(options.train_manifest):
        raise ConfigError("fine_tuning: from which mels?", "give --mels-dir, or a manifest whose rows have `features`")
    for name in ("wavs_dir", "mels_dir", "extra_mels_dir"):
        folder = getattr(options, name)
        if folder is not None and not folder.is_dir():
            raise ConfigError(f"{name}: {folder}: no such folder", f"check --{name.replace('_', '-')}", [name])
    extra = options.extra_mels_dir
    if extra is not None and not any(path.suffix in SUFFIXES for path in extra.iterdir()):
        raise DataError(f"{extra}: no mel, .npy or .npz, lies there", "check --extra-mels-dir, or leave it out")


def is_filelist(path: Path | None) -> bool:
    """Whether ``path`` is no manifest: a filelist of HiFi-GAN, or None, which stands for a folder of sounds."""
    if path is None:
        return True
    if path.suffix.lower() in _MANIFESTS or not path.is_file():
        return False
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        first = next((line for line in file if line.strip()), "{")
    return not first.lstrip().startswith("{")


def _listed(options: Train, path: Path | None, target: Path) -> Manifest:
    """The manifest ``path``, or one that is written to ``target`` where there is something to add."""
    if not is_filelist(path) and options.mels_dir is None and options.extra_mels_dir is None:
        assert path is not None
        opened = Manifest.open(path)
        if options.fine_tuning and len(opened) and opened[0].features is None:
            raise ConfigError(
                "fine_tuning: from which mels?", f"give --mels-dir, or rows with `features` in {path}", ["fine_tuning"]
            )
        return opened
    manifests.write(target, _with_mels(options, _rows(options, path)))
    made = Manifest.open(target)
    if not len(made):
        raise DataError(f"{path or options.wavs_dir}: no recordings", "check the list or the folder")
    return made


def _rows(options: Train, path: Path | None) -> Iterator[Row]:
    if path is None:
        assert options.wavs_dir is not None
        yield from _of_folder(options.wavs_dir)
    elif is_filelist(path):
        yield from _of_filelist(path, options.wavs_dir)
    else:
        yield from Manifest.open(path)


def _of_folder(folder: Path) -> Iterator[Row]:
    sounds = sorted(path for path in folder.rglob("*") if path.suffix.lower() in io.SUFFIXES)
    if not sounds:
        raise DataError(f"{folder}: no sound lies there or below", "check --wavs-dir")
    for sound in sounds:
        yield Row(id=sound.relative_to(folder).with_suffix("").as_posix(), audio=sound.absolute())


def _of_filelist(path: Path, folder: Path | None) -> Iterator[Row]:
    if folder is None:
        raise ConfigError(f"{path}: a list of names; where are their sounds?", "give --wavs-dir", ["wavs_dir"])
    seen: set[str] = set()
    for number, line in enumerate(_lines(path), start=1):
        name, _, text = (part.strip() for part in line.partition("|"))
        if not name:
            continue
        if name in seen:
            raise DataError(f"{path}:{number}: {name!r} stands here twice", "remove one of these lines")
        seen.add(name)
        yield Row(id=name, audio=_sound(folder, name, f"{path}:{number}"), text=text or None)


def _lines(path: Path) -> Iterable[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}", "check the path of the list") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 ({error.reason})", "save the list as UTF-8") from None


def _sound(folder: Path, name: str, place: str) -> Path:
    """The file of ``name``: with .wav as in HiFi-GAN, as it stands, or with another ending of sounds."""
    tried = [f"{name}.wav", name, *(name + suffix for suffix in sorted(io.SUFFIXES - {".wav"}))]
    found = next(
        (folder / one for one in tried if Path(one).suffix.lower() in io.SUFFIXES and (folder / one).is_file()), None
    )
    if found is None:
        raise DataError(f"{place}: {folder / tried[0]}: no such sound", "check --wavs-dir and the list")
    return found.absolute()


def _with_mels(options: Train, rows: Iterable[Row]) -> Iterator[Row]:
    """Rows with their mels, from the folders that the options name; all that are missing are told together."""
    folders = {"features": options.mels_dir, EXTRA: options.extra_mels_dir}
    missing: list[Path] = []
    count = 0
    for row in rows:
        stem = row.audio.stem if row.audio is not None else row.id
        found = {key: named(folder.absolute(), stem) for key, folder in folders.items() if folder is not None}
        lacking = [path for path in found.values() if not path.is_file()]
        missing += lacking[: max(0, 5 - len(missing))]
        count += len(lacking)
        features = str(found["features"]) if "features" in found else row.features
        extra = {**row.extra, EXTRA: str(found[EXTRA])} if EXTRA in found else row.extra
        yield replace(row, features=features, extra=extra)
    if count:
        shown = ", ".join(map(str, missing))
        raise DataError(
            f"{count} mels are missing: {shown}{' …' if count > len(missing) else ''}",
            "make them, or leave these recordings out of the list",
        )


def _held_out(options: Train, every: Manifest, folder: Path) -> Lists:
    total = len(every)
    held = max(1, round(options.data.val_fraction * total))
    if total < 2 or held >= total:
        raise DataError(
            f"{every.path}: {total} recordings, {held} to hold out for validation",
            "give more, or name them by --val-manifest",
        )
    parts = cut(total, {"val": held}, options.training.seed)
    lists = []
    for name, numbers in (("train", parts["train"]), ("val", parts["val"])):
        target = folder / f"{name}-part.jsonl"
        manifests.write(target, (every[int(number)] for number in numbers))
        lists.append(Manifest.open(target))
    return Lists(*lists)
