"""One utterance of a manifest: its keys, and how a line of JSON or CSV becomes one."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from onsei.errors import DataError

PATHS = ("audio", "image", "video")
ALIASES = {
    "audio_filepath": "audio",
    "audio_filename": "audio",
    "audio_file": "audio",
    "text_filepath": "text_file",
    "command": "label",
}
"""Keys of NeMo manifests and what they are called here. ``text_file`` is a path whose content becomes ``text``."""
_TEXTS = ("text", "lang")
_NAMES = ("id", "label", "speaker")
_LONGEST = 1e9  # seconds, 31 years
_KINDS = {dict: "object", list: "list", str: "text", bool: "true or false", int: "number", float: "number"}


class TextFileError(DataError):
    """The text file that a row names cannot be read: a fault of this row alone, like a broken sound."""


class Phone(NamedTuple):
    """A phone and, where known, when it sounds."""

    symbol: str
    start: float | None = None
    """Seconds from the start of the row's audio."""
    end: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One utterance. Paths are resolved against the manifest's folder; what a manifest leaves out is None."""

    id: str
    """Unique within a manifest. Made from the audio's file name and a hash of its path where a manifest has none."""
    audio: Path | None = None
    duration: float | None = None
    """Seconds."""
    text: str | None = None
    label: str | None = None
    image: Path | None = None
    video: Path | None = None
    features: str | None = None
    """Stored features: ``file.npy``, ``file.npz#key`` or ``file.safetensors#key``, the file's path resolved."""
    speaker: str | None = None
    phones: tuple[Phone, ...] | None = None
    offset: float | None = None
    """Seconds into the file where this row starts; with ``duration`` a segment. None: the row is the whole file."""
    channel: int | None = None
    """The channel that holds this row, from 0; None: the mean of all."""
    lang: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    """All other keys, as JSON values."""

    @property
    def segment(self) -> tuple[float, float | None]:
        """Offset and duration in seconds for ``audio.io.load``; no duration where the row is the whole file."""
        return (0.0, None) if self.offset is None else (self.offset, self.duration)

    @property
    def source(self) -> Path | None:
        """The file this row mainly lives in: audio, else stored features, video or image."""
        stored = Path(split_reference(self.features)[0]) if self.features else None
        return self.audio or stored or self.video or self.image


def split_reference(reference: str) -> tuple[str, str | None]:
    """``file.npz#key`` → (``file.npz``, ``key``); the key is None where there is none. File names may hold a ``#``."""
    for suffix in (".npz#", ".safetensors#", ".npy#"):
        head, found, key = reference.partition(suffix)
        if found:
            return head + suffix[:-1], key
    return reference, None


def from_json(line: bytes, folder: Path, place: str) -> Row:
    """Read one line of a JSONL manifest in ``folder``.

    Raises:
        DataError: naming ``place`` (``file:line``): not a JSON object, ill-typed keys, an unreadable text file.
    """
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:  # ValueError: JSONDecodeError or UnicodeDecodeError
        raise DataError(f"{place}: not JSON ({error})", "write one JSON object a line, as UTF-8") from None
    if not isinstance(values, dict):
        raise _ill_typed(place, "an object", values)
    return from_mapping(values, folder, place)


def from_csv(line: bytes, folder: Path, place: str) -> Row:
    """Read one line of deepspeech.pytorch's manifest in ``folder``: audio path, path of a text file; no header.

    Raises:
        DataError: naming ``place``: not two columns, or the text file is unreadable.
    """
    try:
        cells = next(csv.reader([line.decode("utf-8")], strict=True, skipinitialspace=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{place}: not a line of CSV ({error})", "write `audio path,text path`, as UTF-8") from None
    if len(cells) != 2 or not all(cell.strip() for cell in cells):
        raise DataError(
            f"{place}: expected two columns (audio path, path of a text file), found {len(cells)}: {line[:80]!r}",
            "put a path that holds a comma in double quotes; a manifest of JSON objects needs `{` first",
        )
    audio, text = (cell.strip() for cell in cells)
    return from_mapping({"audio": audio, "text_file": text}, folder, place)


def from_sample(line: bytes, root: Path, place: str) -> Row:
    """Read one sample of deepspeech.pytorch's JSON manifest of 2022; its paths are relative to ``root``.

    Raises:
        DataError: naming ``place``: ``wav_path`` or ``transcript_path`` is missing, or the transcript is unreadable.
    """
    values = json.loads(line)
    lacking = [key for key in ("wav_path", "transcript_path") if key not in values]
    if lacking:
        raise DataError(f"{place}: expected wav_path and transcript_path, {lacking[0]} is missing", "mend this sample")
    names = {"wav_path": "audio", "transcript_path": "text_file"}
    return from_mapping({names.get(key, key): value for key, value in values.items()}, root, place)


def from_mapping(values: Mapping[str, Any], folder: Path, place: str) -> Row:
    """Row of the JSON ``values``; relative paths are relative to ``folder``. Errors as in ``from_json``."""
    known: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for key, value in values.items():
        name = ALIASES.get(key, key)
        if value is None:
            continue
        if name not in _READERS:
            extra[key] = value
            continue
        if name in known:
            raise DataError(f"{place}: {key!r} says again what another key says", f"keep one key for {name}")
        known[name] = _READERS[name](value, f"{place}: {key}", folder)
    if "text_file" in known:
        if "text" in known:
            raise DataError(f"{place}: both a text and a text file", "keep one of them")
        known["text"] = known.pop("text_file")
    if "id" not in known:
        known["id"] = _made_id(values, known, place)
    return Row(**known, extra=extra)


def resolve_path(text: str, folder: Path) -> Path:
    """``text`` against ``folder``. Backslashes of a relative path part folders where only so the file exists."""
    path = folder / text
    if os.sep == "/" and "\\" in text and not text.startswith("\\") and not path.exists():
        turned = folder / text.replace("\\", "/")
        return turned if turned.exists() else path
    return path


def _made_id(values: Mapping[str, Any], known: Mapping[str, Any], place: str) -> str:
    """File stem, and a hash of the path as written and of the segment, so that equal stems in two folders differ."""
    source = known.get("audio") or known.get("features") or known.get("video") or known.get("image")
    if source is None:
        raise DataError(f"{place}: no id, and no file to make one from", "give the row an `id` or an `audio`")
    written = [values.get(key) for key in ("audio", *ALIASES, "features", "video", "image")]
    path = next(str(w) for w in written if w is not None).replace("\\", "/")
    digest = hashlib.blake2b(f"{path}|{known.get('offset')}|{known.get('channel')}".encode(errors="surrogatepass"))
    return f"{PurePosixPath(path).stem}-{digest.hexdigest()[:12]}"


def _ill_typed(place: str, expected: str, found: Any) -> DataError:
    shown = json.dumps(found, ensure_ascii=False)[:60]
    return DataError(f"{place}: expected {expected}, found {_KINDS.get(type(found), 'null')} {shown}", "mend this line")


def _text(value: Any, place: str, folder: Path) -> str:
    if not isinstance(value, str):
        raise _ill_typed(place, "text", value)
    return value


def _name(value: Any, place: str, folder: Path) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise _ill_typed(place, "text or a whole number", value)
    return str(value)


def _path(value: Any, place: str, folder: Path) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise _ill_typed(place, "a path", value)
    return resolve_path(value, folder)


def _reference(value: Any, place: str, folder: Path) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise _ill_typed(place, "a path", value)
    file, key = split_reference(value)
    return str(resolve_path(file, folder)) + ("" if key is None else f"#{key}")


def _text_file(value: Any, place: str, folder: Path) -> str:
    path = _path(value, place, folder)
    try:
        return path.read_text(encoding="utf-8-sig").strip()
    except OSError as error:
        mend = "check the path of the text file"
        raise TextFileError(f"{place}: {path}: {error.strerror or error}", mend) from None
    except UnicodeDecodeError as error:
        raise TextFileError(f"{place}: {path}: not UTF-8 ({error.reason})", "save the text file as UTF-8") from None


def _seconds(value: Any, place: str, folder: Path) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= _LONGEST:
        raise _ill_typed(place, "seconds, 0 or more", value)
    return float(value)


def _channel(value: Any, place: str, folder: Path) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _ill_typed(place, "a channel number, 0 or more", value)
    return value


def _phones(value: Any, place: str, folder: Path) -> tuple[Phone, ...]:
    if not isinstance(value, list):
        raise _ill_typed(place, "a list of [symbol, start, end]", value)
    phones = []
    for entry in value:
        parts = [entry] if isinstance(entry, str) else entry
        if not isinstance(parts, list) or len(parts) not in (1, 3) or not isinstance(parts[0], str):
            raise _ill_typed(place, "[symbol, start, end]", entry)
        phones.append(Phone(parts[0], *(_seconds(part, place, folder) for part in parts[1:])))
    return tuple(phones)


_READERS = {
    **dict.fromkeys(_NAMES, _name),
    **dict.fromkeys(_TEXTS, _text),
    **dict.fromkeys(PATHS, _path),
    "features": _reference,
    "text_file": _text_file,
    "duration": _seconds,
    "offset": _seconds,
    "channel": _channel,
    "phones": _phones,
}
